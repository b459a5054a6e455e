"""An `openclaw` executable that behaves as the real one does, in milliseconds.

Shaped by real transcripts of 2026.9.6: `--version` prints one line; `gateway run` serves `/readyz`
and `/healthz` on `gateway.port`, says 503 with a failing list until it is ready, drains on SIGTERM,
and exits 78 with a reason when the config blocks the start. `plugins install` writes what it does to a
log of processes, and `plugins list` lists what was installed; a plugin that is on can be the gateway's end.
`channels login` says, asks and binds what `fake.login` holds; `tui` is a terminal program that repeats what
is typed, and has a child. `config validate` refuses what is no JSON, what `fake.invalid` says, and entries
of plugins and channels whose name begins with `ghost`; so does a start. `agents add` refuses an agent that is
there, and forgets that it was deleted. `doctor --lint`
says what `fake.doctor` and a file `doctor.txt` in the state folder hold. The config's `fake` section
steers it, a file `version` beside the program says which version it is.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCRIPT = r"""#!{python} -IS
import json, os, shutil, signal, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

def version():
    beside = os.path.join(os.path.dirname(os.path.realpath(__file__)), "version")
    return open(beside).read() if os.path.exists(beside) else "2026.9.6"


def is_old():
    return version().startswith("2026.3.")


if "--version" in sys.argv:
    print("OpenClaw " + version() + " (fake)")
    sys.exit(0)

def ghosts():
    # entries of plugins and channels that are not there: the real one refuses the config for them
    try:
        read = json.load(open(os.environ["OPENCLAW_CONFIG_PATH"]))
    except ValueError:
        return
    for name in read.get("plugins", {{}}).get("entries", {{}}):
        if name.startswith("ghost"):
            yield f"plugins.entries.{{name}}", f"plugin not found: {{name}}"
    for name in read.get("channels", {{}}):
        if name.startswith("ghost"):
            yield f"channels.{{name}}", f"unknown channel id: {{name}}"


def tui():
    import tty

    def tell(*_):
        size = os.get_terminal_size()
        os.write(1, f"openclaw tui {{size.columns}}x{{size.lines}} {{os.environ['TERM']}}\r\n".encode())

    signal.signal(signal.SIGWINCH, tell)
    tty.setraw(0)
    tell()
    child = os.fork()
    if child == 0:
        os.setsid()
        time.sleep(600)
    os.write(1, f"pids {{os.getpid()}} {{child}}\r\n".encode())
    line = last = b""
    while True:
        key = os.read(0, 1)
        line = b"" if key == b"\r" else line + key
        if key == b"\r" and last == b"/exit":
            os.kill(child, signal.SIGKILL)
            sys.exit(0)
        if key == b"\r":
            os.write(1, b"you said " + last + b"\r\n")
            if last == b"/flood":
                while True:
                    os.write(1, b"x" * 1000)
        last = line


if sys.argv[1:] == ["tui"]:
    tui()


def validate():
    path = os.environ["OPENCLAW_CONFIG_PATH"]
    try:
        problem = json.load(open(path)).get("fake", {{}}).get("invalid")
    except ValueError as exc:
        problem = f"JSON5 parse failed: {{exc}}"
    issues = [{{"path": "fake", "message": problem}}] if problem else []
    issues += [{{"path": path, "message": message}} for path, message in ghosts()]
    print(json.dumps({{"valid": not issues, "path": path, "issues": issues, "warnings": []}}))
    sys.exit(1 if issues else 0)


if sys.argv[1:3] == ["config", "validate"]:
    validate()
config = json.load(open(os.environ["OPENCLAW_CONFIG_PATH"]))
fake = config.get("fake", {{}})
state = os.environ["OPENCLAW_STATE_DIR"]


def log(what):
    # each process says when it began and when it ended; appending a short line is atomic
    with open(os.path.join(state, "processes.log"), "a") as file:
        file.write(json.dumps([what, os.getpid(), time.time()]) + "\n")


def add_agent():
    # of an id that is in the config: it is refused, and is not remembered as deleted any more
    import sqlite3
    if fake.get("agents") != "forgetful":
        with sqlite3.connect(os.path.join(state, "state", "openclaw.sqlite")) as remembered:
            remembered.execute("DELETE FROM agent_deletion_journal WHERE agent_id = ?", sys.argv[3:4])
    print(json.dumps({{"ok": False, "error": {{"message": f'Agent "{{sys.argv[3]}}" already exists.'}}}}))
    sys.exit(1)


if sys.argv[1:3] == ["agents", "add"]:
    add_agent()


def doctor():
    log("doctor")
    more = os.path.join(state, "doctor.txt")
    lines = fake.get("doctor", []) + (open(more).read().splitlines() if os.path.exists(more) else [])
    for line in lines:
        print(line, flush=True)
        if line == "it waits":
            time.sleep(600)
    sys.exit(1 if lines else 0)


if sys.argv[1:] == ["doctor", "--lint"]:
    doctor()


def known_plugins():
    listed = os.path.join(state, "plugins.json")
    return json.load(open(listed)) if os.path.exists(listed) else []


def keep(path, value):
    with open(path + ".new", "w") as file:
        json.dump(value, file)
    os.replace(path + ".new", path)


def set_plugins(*rows, enable=None):
    if enable:
        entries = config.setdefault("plugins", {{}}).setdefault("entries", {{}})
        entries.setdefault(enable, {{"enabled": True}})
        keep(os.environ["OPENCLAW_CONFIG_PATH"], config)
    keep(os.path.join(state, "plugins.json"), rows)


def plugins(command, spec):
    known = known_plugins()
    if command == "list":
        print("\x1b[33mConfig warnings\x1b[0m", file=sys.stderr)
        print(json.dumps({{"plugins": known}}))
        sys.exit(0)
    log(command + " begins")
    name = spec.rsplit("@", 1)[0].rsplit("/", 1)[-1]
    others = [row for row in known if row["id"] != name]
    if command == "uninstall":
        if not fake.get("uninstall_lies"):
            entries = config.get("plugins", {{}}).get("entries", {{}})
            if is_old():
                entries.pop(name, None)
                config.get("channels", {{}}).pop(name, None)
            elif name in entries:  # which the next install keeps
                entries[name]["enabled"] = False
            keep(os.environ["OPENCLAW_CONFIG_PATH"], config)
            set_plugins(*others)
            shutil.rmtree(os.path.join(state, "extensions", name), ignore_errors=True)
        print("Uninstalled plugin: " + name)
        sys.exit(0)
    if command == "update":
        (row,) = [row for row in known if row["id"] == name]
        if name not in fake.get("update_to", {{}}):
            print(name + " is up to date (" + row["version"] + ").")
            sys.exit(0)
        while not os.path.exists(fake.get("update_waits", {{}}).get(name, "/")):
            time.sleep(0.02)
        set_plugins(*[
            row if row["id"] != name else {{**row, "version": fake["update_to"][name]}} for row in known
        ])
        if fake.get("update_writes"):
            open(os.path.join(state, "extensions", fake["update_writes"], "index.js"), "w").write("bad")
        if fake.get("update_refuses"):
            print(fake["update_refuses"], file=sys.stderr)
            sys.exit(1)
        sys.exit(0)
    print("Installing " + spec, flush=True)
    if "OPENCLAW_CLAWHUB_URL" in os.environ:
        print("Resolving clawhub:" + name, flush=True)
    if fake.get("install_refuses"):
        print(fake["install_refuses"], file=sys.stderr)
        sys.exit(1)
    while fake.get("install_waits_for") and not os.path.exists(fake["install_waits_for"]):
        time.sleep(0.02)
    if not fake.get("install_lies"):
        version = spec.rsplit("@", 1)[1] if "@" in spec[1:] else fake.get("newest", "1.0")
        trust = {{"installSource": "npm", "installSpec": spec}}
        row = {{"id": name, "origin": "global", "version": version, "enabled": True, "trust": trust}}
        set_plugins(*others, row, enable=name)
    if fake.get("install_breaks_after"):
        while not os.path.exists(fake["install_breaks_after"]):
            time.sleep(0.02)
        print("npm ERR! network", file=sys.stderr)
        sys.exit(1)
    log("install ends")
    print("Installed plugin: " + name)
    sys.exit(0)


def login():
    # what it says, waits for and leaves behind, step by step
    log("login begins")
    for step in fake.get("login", []):
        while "waits_for" in step and not os.path.exists(step["waits_for"]):
            time.sleep(0.02)
        sys.stdout.write(step.get("says", ""))
        sys.stdout.flush()
        if "asks" in step:
            with open(os.path.join(state, "answers"), "a") as file:
                file.write(sys.stdin.readline())
        if "binds" in step:
            folder = os.path.join(state, "openclaw-weixin")
            os.makedirs(os.path.join(folder, "accounts"), exist_ok=True)
            keep(os.path.join(folder, "accounts.json"), [step["binds"]])
            saved = {{"token": "bot-token", "userId": "user1@im.wechat"}}
            now = time.time()
            whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
            saved["savedAt"] = whole + ".%03dZ" % (now % 1 * 1000)
            keep(os.path.join(folder, "accounts", step["binds"] + ".json"), saved)
        if "fails" in step:
            print(step["fails"], file=sys.stderr)
            sys.exit(1)
    log("login ends")
    sys.exit(0)


def is_on(plugin):
    # the config as it is now; it is loaded where nothing turns it off
    plugins = json.load(open(os.environ["OPENCLAW_CONFIG_PATH"])).get("plugins", {{}})
    return plugins.get("entries", {{}}).get(plugin, {{}}).get("enabled") is not False


def watch():
    path = os.environ["OPENCLAW_CONFIG_PATH"]
    seen = open(path).read()
    while True:
        for row in known_plugins():
            if row["version"] in fake.get("deadly", []) and is_on(row["id"]):
                print("[plugins] " + row["id"] + " " + row["version"] + " is broken", flush=True)
                os._exit(1)
        if open(path).read() != seen:
            seen = open(path).read()
            print("[reload] config hot reload applied", flush=True)
        time.sleep(0.02)


if sys.argv[1:4] == ["channels", "login", "--channel"]:
    login()
if sys.argv[1] == "plugins":
    plugins(sys.argv[2], "".join(sys.argv[3:4]))
print("[gateway] loading configuration…", flush=True)
for path, message in ghosts():
    print(f"Invalid config at openclaw.json: {{path}}: {{message}}", file=sys.stderr, flush=True)
    sys.exit(78)
if "exit" in fake:
    print(fake.get("say", "Invalid config"), file=sys.stderr, flush=True)
    sys.exit(fake["exit"])
if "environment_file" in fake:
    seen = {{"environment": dict(os.environ), "arguments": sys.argv[3:]}}
    open(fake["environment_file"], "w").write(json.dumps(seen))

threading.Thread(target=watch, daemon=True).start()
ready_at = time.monotonic() + fake.get("ready_after", 0.1)
draining = False


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if os.path.exists(fake.get("hang_when", "")):
            time.sleep(3600)
        failing = []
        if time.monotonic() < ready_at and not fake.get("old_generation"):  # which names channels only
            failing.append("startup-sidecars")
        starting = bool(failing)
        failing += fake.get("failing", [])
        if draining:
            failing.append("gateway-draining")
        if self.path == "/startupz":
            return self.startup(starting)
        body = json.dumps({{
            "ready": not failing, "failing": failing, "uptimeMs": 1,
            "eventLoop": {{"delayP99Ms": 21.0}},
        }}).encode()
        self.reply(503 if failing else 200, "application/json", body)

    def startup(self, starting):
        if fake.get("old_generation"):
            return self.reply(200, "text/html", b"<!doctype html><title>OpenClaw</title>")
        word = "draining" if draining else "starting" if starting else "started"
        body = json.dumps({{"status": word}}).encode()
        self.reply(200 if word == "started" else 503, "application/json", body)

    def reply(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
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
    log("gateway ends")
    time.sleep(fake.get("drain", 0))
    print("[shutdown] completed cleanly", flush=True)
    os._exit(0)


signal.signal(signal.SIGTERM, stop)
log("gateway begins")
port = int(os.environ.get("OPENCLAW_GATEWAY_PORT") or config["gateway"]["port"])
time.sleep(fake.get("listen_after", 0))
busy_until = time.monotonic() + fake.get("computes", 0)
while time.monotonic() < busy_until:
    pass
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

    @property
    def process_log(self) -> list[tuple[str, int, float]]:
        """What its processes did: what, which pid, when."""
        try:
            lines = (self.config_dir / "processes.log").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [tuple(json.loads(line)) for line in lines]

    def configure(self, **fake: Any) -> None:
        """Write the config anew, with a `fake` section that steers the next start."""
        config = {"gateway": {"mode": "local", "port": self.port}, "fake": fake}
        new = self.config_file.with_suffix(".new")  # in one step, as the real program writes it
        new.write_text(json.dumps(config))
        new.replace(self.config_file)


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
