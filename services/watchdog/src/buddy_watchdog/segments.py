"""Lines on the disk, appended in one place and read from another: files of bounded size, one after the other.

A line counts when its line feed is there. What a killed writer has left torn is passed over, and so is what a
full disk has torn: the next line never continues it. Every call touches the disk.
"""

import fcntl
import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import structlog

from buddy_common.adapters.atomic_file import replace_file

log = structlog.get_logger(__name__)

SEGMENT_BYTES = 1024 * 1024


class Position(NamedTuple):
    """Where a reader is."""

    segment: int = 0
    offset: int = 0


class Segments:
    """The files of one name in a folder. One process writes; one that takes over begins a file of its own."""

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        durable: bool,
        limit_bytes: int | None = None,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        """`durable`: what was appended survives a power cut. Beyond `limit_bytes`, the oldest files go."""
        self._folder = folder
        self._name = name
        self._durable = durable
        self._limit = limit_bytes
        self._segment_bytes = segment_bytes
        self._file: int | None = None
        self._size = 0
        self._pattern = re.compile(re.escape(name) + r"-(\d{8,})\.jsonl")

    def append(self, lines: Sequence[str]) -> None:
        """Append all lines, or none.

        Raises:
            OSError: the disk is full, or the folder cannot be written.
        """
        data = "".join(f"{line}\n" for line in lines).encode()
        file = self._open()
        try:
            written = 0
            while written < len(data):
                written += os.write(file, data[written:])
            if self._durable:
                os.fsync(file)
        except OSError:
            self._take_back(file)
            raise
        self._size += len(data)

    def read(self, position: Position, *, limit: int) -> tuple[list[str], Position]:
        """Return up to so many lines from there on, and where to go on.

        Raises:
            OSError: a file cannot be read.
        """
        lines: list[str] = []
        for number in self._numbers():
            if number < position.segment:
                continue
            offset = position.offset if number == position.segment else 0
            ended = not self._is_written(
                number
            )  # before it is read: what is appended meanwhile is not missed
            found, offset = _read(self._path(number), offset, limit - len(lines))
            lines += found
            position = Position(number, offset)
            if len(lines) >= limit or not ended:
                break
        return lines, position

    def load_position(self) -> Position:
        """Return how far was read; the beginning, where that is not known."""
        try:
            segment, offset = json.loads(self._position_file().read_bytes())
            return Position(int(segment), int(offset))
        except FileNotFoundError:
            return Position()
        except (OSError, ValueError, TypeError):
            log.warning("position_unreadable", name=self._name)
            return Position()

    def save_position(self, position: Position) -> None:
        """Remember how far was read, and remove the files before that.

        Raises:
            OSError: the folder cannot be written.
        """
        replace_file(self._position_file(), json.dumps(position).encode())
        for number in self._numbers():
            if number < position.segment:
                self._path(number).unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file; the next line begins another."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> int:
        if self._file is not None and self._size >= self._segment_bytes:
            self.close()
        if self._file is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            number = max((*self._numbers(), self.load_position().segment)) + 1
            self._file = os.open(
                self._path(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600
            )
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._size = 0
            self._sync_folder()
            self._let_go()
        return self._file

    def _take_back(self, file: int) -> None:
        """Remove what a failed call has written; where that fails, too, the next line begins a new file."""
        try:
            os.ftruncate(file, self._size)
        except OSError:
            self.close()

    def _sync_folder(self) -> None:
        if self._durable:
            folder = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _let_go(self) -> None:
        """Remove the oldest files until the rest is small enough."""
        if self._limit is None:
            return
        sizes = {number: self._path(number).stat().st_size for number in self._numbers()}
        for number in sorted(sizes)[:-1]:
            if sum(sizes.values()) <= self._limit:
                return
            log.warning("record_let_go", file=self._path(number).name, bytes=sizes.pop(number))
            self._path(number).unlink(missing_ok=True)

    def _is_written(self, number: int) -> bool:
        """Whether a process still appends to the file; its lock goes with it."""
        try:
            file = os.open(self._path(number), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def _numbers(self) -> list[int]:
        with suppress(FileNotFoundError):
            names = (self._pattern.fullmatch(path.name) for path in self._folder.iterdir())
            return sorted(int(found[1]) for found in names if found is not None)
        return []

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._name}-{number:08d}.jsonl"

    def _position_file(self) -> Path:
        return self._folder / f"{self._name}.position.json"


def _read(path: Path, offset: int, limit: int) -> tuple[list[str], int]:
    """Return the whole lines from there on, and where the last of them ends."""
    lines: list[str] = []
    try:
        with path.open("rb") as file:
            file.seek(offset)
            while len(lines) < limit and (line := file.readline()).endswith(b"\n"):
                lines.append(line[:-1].decode(errors="replace"))
                offset += len(line)
    except FileNotFoundError:  # it was let go of meanwhile
        pass
    return lines, offset
