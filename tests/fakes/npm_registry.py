"""A registry of npm on a free loopback port with releases of one small plugin, which both generations take.

It is ClawHub, too, which the older generation asks first: one that has nothing.
"""

import base64
import hashlib
import io
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PLUGIN_ID = "buddy-test-plugin"
PLUGIN_VERSION = "1.2.3"
HARMLESS = f"export default {{ id: {PLUGIN_ID!r}, name: {PLUGIN_ID!r}, register() {{}} }};\n"
DEADLY = 'console.error("this release is broken");\nprocess.exit(1);\n' + HARMLESS
_MANIFEST = {
    "id": PLUGIN_ID,
    "name": "Buddy's test plugin",
    "activation": {"onStartup": True},
    "configSchema": {"type": "object", "additionalProperties": False, "properties": {}},
}


class NpmRegistry:
    """The server; it runs until it is closed. What was published last is `latest`."""

    def __init__(self) -> None:
        registry = self
        self._tarballs: dict[str, bytes] = {}

        class Handler(_Handler):
            def find(self) -> tuple[str, bytes] | None:
                return registry._find(self.path)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,))
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        """What Buddy must be told, so that OpenClaw and its npm ask here and nowhere else."""
        told = {"npm_config_registry": self.url, "OPENCLAW_CLAWHUB_URL": self.url}
        return {**told, "BUDDY_GATEWAY_PASS_ENV": ",".join(told)}

    def publish(self, version: str, code: str = HARMLESS) -> None:
        """Have a release that is the newest from now on."""
        self._tarballs[version] = _pack(version, code)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

    def _find(self, path: str) -> tuple[str, bytes] | None:
        if path == f"/{PLUGIN_ID}":
            return "application/json", json.dumps(self._packument()).encode()
        for version, tarball in self._tarballs.items():
            if path == f"/{PLUGIN_ID}/-/{PLUGIN_ID}-{version}.tgz":
                return "application/octet-stream", tarball
        return None

    def _packument(self) -> dict[str, Any]:
        """Describe the package as npm's registry does."""
        releases = {version: self._release(version, tarball) for version, tarball in self._tarballs.items()}
        return {"name": PLUGIN_ID, "dist-tags": {"latest": list(releases)[-1]}, "versions": releases}

    def _release(self, version: str, tarball: bytes) -> dict[str, Any]:
        dist = {
            "tarball": f"{self.url}/{PLUGIN_ID}/-/{PLUGIN_ID}-{version}.tgz",
            "integrity": "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode(),
        }
        return {**_package(version), "dist": dist}


class _Handler(BaseHTTPRequestHandler):
    def find(self) -> tuple[str, bytes] | None:
        raise NotImplementedError

    def do_GET(self) -> None:
        status, (kind, data) = 200, self.find() or ("", b"")
        if not kind:
            status, kind, data = 404, "application/json", b'{"error":"Not found"}'
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Keep the tests' output clean."""


def _package(version: str) -> dict[str, Any]:
    return {
        "name": PLUGIN_ID,
        "version": version,
        "description": "Does nothing",
        "type": "module",
        "openclaw": {"extensions": ["./index.js"]},
    }


def _pack(version: str, code: str) -> bytes:
    files = {
        "package.json": json.dumps(_package(version)),
        "openclaw.plugin.json": json.dumps(_MANIFEST),
        "index.js": code,
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text.encode())
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()
