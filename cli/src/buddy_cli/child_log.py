"""The log file of a child: JSON lines, rotated; what is not JSON already becomes it."""

import json
import logging
import threading
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from buddy_common.log import mask

ROTATE_BYTES = 5 * 1024 * 1024
KEPT_FILES = 3
MAX_LINE_BYTES = 64 * 1024
READ_BYTES = 64 * 1024


class ChildLog:
    """Takes raw output in pieces of any size and writes whole lines."""

    def __init__(self, folder: Path, name: str) -> None:
        self._name = name
        self._handler = RotatingFileHandler(
            folder / f"{name}.log", maxBytes=ROTATE_BYTES, backupCount=KEPT_FILES, delay=True
        )
        self._rest = b""
        self._lock = threading.Lock()
        self._closed = False

    def copy_from(self, pipe: int) -> None:
        """Write what comes out of a pipe until it ends."""
        with open(pipe, "rb", buffering=0) as file:
            while data := file.read(READ_BYTES):
                self.feed(data)

    def feed(self, data: bytes) -> None:
        """Write the lines that `data` completes; an endless line is cut."""
        with self._lock:
            *lines, self._rest = (self._rest + data).split(b"\n")
            if len(self._rest) > MAX_LINE_BYTES:
                lines.append(self._rest)
                self._rest = b""
            for line in lines:
                for start in range(0, len(line), MAX_LINE_BYTES):
                    piece = line[start : start + MAX_LINE_BYTES]
                    self._write(piece.decode(errors="replace").strip())

    def note(self, event: str, **fields: object) -> None:
        """Write a line of the supervisor's own."""
        with self._lock:
            self._write(json.dumps({"service": "supervisor", "event": event, "timestamp": _now(), **fields}))

    def close(self) -> None:
        """Write what is left and close the file."""
        self.feed(b"\n")
        with self._lock:
            self._closed = True
            self._handler.close()

    def _write(self, line: str) -> None:
        if not line or self._closed:
            return
        if not _is_record(line):
            wrapped = {"service": self._name, "event": "output", "line": line, "timestamp": _now()}
            line = json.dumps(wrapped, ensure_ascii=False)
        self._handler.emit(logging.makeLogRecord({"msg": mask(line)}))


def _is_record(line: str) -> bool:
    try:
        return line.startswith("{") and isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _now() -> str:
    return datetime.now(UTC).isoformat()
