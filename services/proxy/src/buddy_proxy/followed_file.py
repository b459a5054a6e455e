"""A log file that is followed through rotation, truncation and absence."""

import os
from pathlib import Path
from typing import BinaryIO

# a frame of this size is what the clients of most libraries take at most
MAX_LINE_BYTES = 1024 * 1024 - 1024
READ_BYTES = 256 * 1024
# of what was written while nobody looked, at one look; the rest comes with the next
MAX_READ_BYTES = 4 * 1024 * 1024


class FollowedFile:
    """Gives out complete lines, each once. Blocks, so it belongs into a thread.

    A file that was renamed is read to its end before the one that has its name now. One that became shorter
    was emptied, and is read from its beginning.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None
        self._lines = _Lines()

    def begin(self, *, count: int, max_bytes: int) -> list[bytes]:
        """Return the last complete lines, as many as fit; what follows them is read later."""
        self._open()
        if self._file is None:
            return []
        found, end = _last_lines(self._file, count=count, max_bytes=max_bytes)
        self._file.seek(end)
        return found

    def read(self) -> list[bytes]:
        """Return the lines that were completed since the last time, without their ends."""
        if self._file is None:
            self._open()
        if self._file is None:
            return []
        found = self._read_on(self._file)
        if self._was_replaced(self._file):
            found += self._read_on(self._file) + self._lines.end()  # what was written while we looked
            self.close()
            self._open()
            if self._file is not None:
                found += self._read_on(self._file)
        return found

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def _open(self) -> None:
        try:
            self._file = self.path.open("rb", buffering=0)
        except OSError:  # not there yet, or for a moment in the middle of a rotation
            self._file = None

    def _read_on(self, file: BinaryIO) -> list[bytes]:
        found: list[bytes] = []
        if os.fstat(file.fileno()).st_size < file.tell():
            found += self._lines.end()
            file.seek(0)
        left = MAX_READ_BYTES
        while left > 0 and (data := file.read(READ_BYTES)):
            found += self._lines.feed(data)
            left -= len(data)
        return found

    def _was_replaced(self, file: BinaryIO) -> bool:
        """Whether another file has the name now, and we are through with this one."""
        ours = os.fstat(file.fileno())
        try:
            there = self.path.stat()
        except OSError:
            return False  # the one that comes next will show
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino) and file.tell() >= ours.st_size


class _Lines:
    """Makes lines of pieces; of one that is too long, the beginning, with a note of what is missing."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._dropped = 0

    def feed(self, data: bytes) -> list[bytes]:
        *complete, rest = data.split(b"\n")
        found = []
        for piece in complete:
            self._add(piece)
            found += self.end()
        self._add(rest)
        return found

    def end(self) -> list[bytes]:
        """Return what is there as a line, if it is anything."""
        line, dropped = bytes(self._rest), self._dropped
        self._rest.clear()
        self._dropped = 0
        if dropped:
            line += f"… ({dropped} bytes more)".encode()
        return [line.rstrip(b"\r")] if line.strip() else []

    def _add(self, piece: bytes) -> None:
        room = MAX_LINE_BYTES - len(self._rest)
        self._rest += piece[:room]
        self._dropped += max(0, len(piece) - room)


def last_lines(path: Path, *, count: int, max_bytes: int) -> list[bytes]:
    """Return the last complete lines of a file, as many as fit; none of one that cannot be read."""
    try:
        with path.open("rb", buffering=0) as file:
            return _last_lines(file, count=count, max_bytes=max_bytes)[0]
    except OSError:
        return []


def _last_lines(file: BinaryIO, *, count: int, max_bytes: int) -> tuple[list[bytes], int]:
    """Return the lines, and where the last of them ends."""
    end = _last_line_end(file, os.fstat(file.fileno()).st_size)
    start = max(0, end - max_bytes)
    file.seek(start)
    found = _Lines().feed(_read_exactly(file, end - start))
    if start > 0 and found:  # it began before the part that was read
        del found[0]
    return (found[-count:] if count else []), end


def _last_line_end(file: BinaryIO, size: int) -> int:
    """Return where the line begins that is not complete yet."""
    end = size
    while end > 0:
        start = max(0, end - READ_BYTES)
        file.seek(start)
        found = _read_exactly(file, end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _read_exactly(file: BinaryIO, size: int) -> bytes:
    data = bytearray()
    while len(data) < size and (piece := file.read(size - len(data))):
        data += piece
    return bytes(data)
