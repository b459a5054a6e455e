"""The log file of a child: JSON lines, rotated; what is not JSON already becomes it."""

import json
import logging
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from buddy_common.log import mask

ROTATE_BYTES = 5 * 1024 * 1024
KEPT_FILES = 3
MAX_LINE_BYTES = 64 * 1024


class ChildLog:
    """Takes raw output in pieces of any size and writes whole lines."""

    def __init__(self, folder: Path, name: str) -> None:
        self._name = name
        self._handler = RotatingFileHandler(
            folder / f"{name}.log", maxBytes=ROTATE_BYTES, backupCount=KEPT_FILES, delay=True
        )
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Write the lines that `data` completes; an endless line is cut."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._write(line.decode(errors="replace").strip())

    def note(self, event: str, **fields: object) -> None:
        """Write a line of the supervisor's own."""
        self._write(json.dumps({"service": "supervisor", "event": event, "timestamp": _now(), **fields}))

    def close(self) -> None:
        """Write what is left and close the file."""
        self.feed(b"\n")
        self._handler.close()

    def _write(self, line: str) -> None:
        if not line:
            return
        if not line.startswith("{"):
            wrapped = {"service": self._name, "event": "output", "line": line, "timestamp": _now()}
            line = json.dumps(wrapped, ensure_ascii=False)
        self._handler.emit(logging.makeLogRecord({"msg": mask(line)}))


def _now() -> str:
    return datetime.now(UTC).isoformat()
