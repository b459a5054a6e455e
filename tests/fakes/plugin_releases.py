"""A registry of npm that has several releases of the small plugin, some of which no gateway can live with."""

import base64
import hashlib
import io
import json
import tarfile
from typing import Any

from fakes.npm_registry import PLUGIN_ID, NpmRegistry

HARMLESS = f"export default {{ id: {PLUGIN_ID!r}, name: {PLUGIN_ID!r}, register() {{}} }};\n"
DEADLY = 'console.error("this release is broken");\nprocess.exit(1);\n' + HARMLESS
_MANIFEST = {
    "id": PLUGIN_ID,
    "name": "Buddy's test plugin",
    "activation": {"onStartup": True},
    "configSchema": {"type": "object", "additionalProperties": False, "properties": {}},
}


class PluginReleases(NpmRegistry):
    """The server; what was published last is `latest`."""

    def __init__(self) -> None:
        self._tarballs: dict[str, bytes] = {}
        super().__init__()

    def publish(self, version: str, code: str = HARMLESS) -> None:
        """Have a release that is the newest from now on."""
        self._tarballs[version] = _pack(version, code)

    def _find(self, path: str) -> tuple[str, bytes] | None:
        if path == f"/{PLUGIN_ID}":
            return "application/json", json.dumps(self._packument()).encode()
        for version, tarball in self._tarballs.items():
            if path == f"/{PLUGIN_ID}/-/{PLUGIN_ID}-{version}.tgz":
                return "application/octet-stream", tarball
        return None

    def _packument(self) -> dict[str, Any]:
        releases = {version: self._release(version, tarball) for version, tarball in self._tarballs.items()}
        return {"name": PLUGIN_ID, "dist-tags": {"latest": list(releases)[-1]}, "versions": releases}

    def _release(self, version: str, tarball: bytes) -> dict[str, Any]:
        dist = {
            "tarball": f"{self.url}/{PLUGIN_ID}/-/{PLUGIN_ID}-{version}.tgz",
            "integrity": "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode(),
        }
        return {**_package(version), "dist": dist}


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
