"""The transcripts of one agent before 2026.9: a file of lines per session, read as it grows."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from buddy_common.adapters.transcript_events import Event, parse, time_of

log = structlog.get_logger(__name__)

_SUFFIX = ".jsonl"
# a session that was reset (by default each does so every night) or deleted keeps its lines under such a name
_ARCHIVED = re.compile(
    r"(?P<session>.+)\.jsonl\.(?:reset|deleted)\.\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}(?:\.\d{3})?Z"
)


@dataclass
class _Read:
    """How far a file was read."""

    inode: int
    offset: int = 0


class SessionFiles:
    """What was read of the files in one folder; a renamed one goes on where it was."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, _Read] = {}
        # of the listing before: one that is made during a rename may have neither name
        self._read_before: dict[str, _Read] = {}

    def new_events(self, *, since_ms: int) -> Iterator[tuple[str, int, Event]]:
        """Return what was added as session, time (Unix ms) and event."""
        try:
            files = sorted(self._folder.iterdir())
        except OSError as exc:
            log.warning("transcript_unreadable", file=str(self._folder), reason=exc.strerror)
            return
        known, read = self._read_before | self._read, {}
        for file, session, found in _transcripts(files):
            read[file.name] = self._known_as(file.name, session, found.st_ino, known)
            if found.st_size > read[file.name].offset:
                yield from _new_events(file, session, read[file.name], since_ms=since_ms)
            else:  # less of it: `sessions.compact` has kept the last lines only
                read[file.name].offset = found.st_size
        self._read_before, self._read = self._read, read

    def _known_as(self, name: str, session: str, inode: int, known: dict[str, _Read]) -> _Read:
        """Return how far a file was read, under this name or as the session's current one before."""
        current = f"{session}{_SUFFIX}"
        read = known.get(name)
        if read is None and current in known and known[current].inode == inode:
            read = known.pop(current)  # whatever has that name from now on is another file
            self._read.pop(current, None)
        read = read or _Read(inode)
        read.inode = inode  # `sessions.compact` writes the last lines to a file of their own
        return read


def _transcripts(files: list[Path]) -> list[tuple[Path, str, os.stat_result]]:
    """Return each transcript, its session and its state, those first that do not change any more."""
    archived, current = [], []
    for file in files:
        match = _ARCHIVED.fullmatch(file.name)
        if match is None and file.suffix != _SUFFIX:
            continue
        try:
            found = file.stat()
        except OSError:  # it was renamed just now, and is listed so the next time
            continue
        if match:
            archived.append((file, match["session"], found))
        else:
            current.append((file, file.stem, found))
    return archived + current


def _new_events(file: Path, session: str, read: _Read, *, since_ms: int) -> Iterator[tuple[str, int, Event]]:
    try:
        with file.open("rb") as lines:
            lines.seek(read.offset)
            for line in lines:
                if not line.endswith(b"\n"):  # it is being written
                    break
                read.offset += len(line)
                event = parse(line)
                at_ms = time_of(event)
                if at_ms >= since_ms:
                    yield session, at_ms, event
    except OSError as exc:
        log.warning("transcript_unreadable", file=file.name, reason=exc.strerror)
