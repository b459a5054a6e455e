"""An `openclaw` executable that behaves as the real one does, in milliseconds.

Shaped by real transcripts of 2026.9.6: `--version` prints one line; `gateway run` serves `/readyz`
and `/healthz` on `gateway.port`, says 503 with a failing list until it is ready, drains on SIGTERM,
and exits 78 with a reason when the config blocks the start. The config's `fake` section steers it.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCRIPT = r"""#!{python} -IS
import json, os, signal, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

if "--version" in sys.argv:
    print("OpenClaw 2026.9.6 (fake)")
    sys.exit(0)

config = json.load(open(os.environ["OPENCLAW_CONFIG_PATH"]))
fake = config.get("fake", {{}})
print("[gateway] loading configuration…", flush=True)
if "exit" in fake:
    print(fake.get("say", "Invalid config"), file=sys.stderr, flush=True)
    sys.exit(fake["exit"])
if "environment_file" in fake:
    open(fake["environment_file"], "w").write(json.dumps(dict(os.environ)))

ready_at = time.monotonic() + fake.get("ready_after", 0.1)
draining = False


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if fake.get("hang"):
            time.sleep(3600)
        failing = []
        if time.monotonic() < ready_at:
            failing.append("startup-sidecars")
        if draining:
            failing.append("gateway-draining")
        body = json.dumps({{
            "ready": not failing, "failing": failing, "uptimeMs": 1,
            "eventLoop": {{"delayP99Ms": 21.0}},
        }}).encode()
        self.send_response(503 if failing else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def stop(*_):
    global draining
    if fake.get("ignore_term"):
        return
    draining = True
    threading.Thread(target=leave, daemon=True).start()


def leave():
    time.sleep(fake.get("drain", 0))
    print("[shutdown] completed cleanly", flush=True)
    os._exit(0)


signal.signal(signal.SIGTERM, stop)
port = int(os.environ.get("OPENCLAW_GATEWAY_PORT") or config["gateway"]["port"])
time.sleep(fake.get("listen_after", 0))
server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
print(f"[gateway] http server listening ({{port}})", flush=True)
server.serve_forever()
"""


@dataclass(frozen=True)
class FakeOpenClaw:
    """The executable, its state folder and its port."""

    program: Path
    config_dir: Path
    port: int

    @property
    def config_file(self) -> Path:
        return self.config_dir / "openclaw.json"

    def configure(self, **fake: Any) -> None:
        """Write the config anew, with a `fake` section that steers the next start."""
        config = {"gateway": {"mode": "local", "port": self.port}, "fake": fake}
        self.config_file.write_text(json.dumps(config))


def install_fake_openclaw(folder: Path, *, port: int) -> FakeOpenClaw:
    """Put the executable and its config into `folder`."""
    program = folder / "bin" / "openclaw"
    program.parent.mkdir(parents=True)
    program.write_text(_SCRIPT.format(python=sys.executable))
    program.chmod(0o755)
    config_dir = folder / "state"
    config_dir.mkdir()
    fake = FakeOpenClaw(program, config_dir, port)
    fake.configure()
    return fake
