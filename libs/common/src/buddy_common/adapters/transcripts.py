"""Counting what people asked each agent, from OpenClaw's own transcripts; read only, and only what is new.

2026.9 keeps them in `agents/ID/agent/openclaw-agent.sqlite`, before that one `sessions/*.jsonl` per session.
"""

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
import zstandard

log = structlog.get_logger(__name__)

# `PRAGMA user_version` of 2026.9.6. Others are told and read all the same, since the columns that count have
# outlived many; where they have not, that is an error of its own. There is no other way to count.
KNOWN_SCHEMA = 23
DATABASE = Path("agent") / "openclaw-agent.sqlite"
SESSIONS = Path("sessions")
_EVENTS = (
    "SELECT rowid, session_id, created_at, event_json, event_zstd FROM transcript_events"
    " WHERE rowid > ? AND created_at >= ? ORDER BY rowid"
)
_LAST_ROW = "SELECT coalesce(max(rowid), 0) FROM transcript_events"
_BUSY_SECONDS = 5.0
_SETTLED_NS = 1_000_000_000  # two writes in a row may leave the same time: what is younger is read again
_DAY_MS = 86_400_000

# inode, time of the last change (ns) and size of a database and of its write-ahead log
_State = tuple[tuple[int, int, int], ...]


@dataclass
class Asked:
    """How often an agent was asked, by session and by day (days since 1970, UTC), and when last (Unix ms)."""

    questions: Counter[tuple[str, int]] = field(default_factory=Counter)
    last_at: int = 0

    def note(self, session: str, at_ms: int) -> None:
        """Count one question."""
        self.questions[session, at_ms // _DAY_MS] += 1
        self.last_at = max(self.last_at, at_ms)

    def forget_all(self) -> None:
        """Start from nothing."""
        self.questions.clear()
        self.last_at = 0

    def forget_before(self, day: int) -> None:
        """Drop what is older than a day."""
        for key in [key for key in self.questions if key[1] < day]:
            del self.questions[key]


class TranscriptCounter:
    """The counts of all agents under one state folder, kept up to date by reading what was added."""

    def __init__(self, agents_folder: Path, *, keep_days: int) -> None:
        self._folder = agents_folder
        self._keep_days = keep_days
        self._asked: dict[str, Asked] = {}
        self._rows: dict[str, tuple[int, int]] = {}  # per agent: inode of its database, highest row read
        self._states: dict[str, _State | None] = {}  # per agent: its database when it was read last
        self._schemas: dict[str, int] = {}  # per agent, what its database said last
        self._offsets: dict[Path, int] = {}

    def update(self) -> dict[str, Asked]:
        """Read what is new and return the counts by agent; takes milliseconds, the first time longer."""
        first_day = today() - self._keep_days
        for folder in sorted(self._folder.glob("*/")):
            asked = self._asked.setdefault(folder.name, Asked())
            for session, at_ms in self._new_questions(folder, since_ms=first_day * _DAY_MS):
                asked.note(session, at_ms)
            asked.forget_before(first_day)
        return self._asked

    def _new_questions(self, folder: Path, *, since_ms: int) -> Iterator[tuple[str, int]]:
        if (folder / DATABASE).exists():
            yield from self._from_database(folder.name, folder / DATABASE, since_ms=since_ms)
        else:
            for file in sorted((folder / SESSIONS).glob("*.jsonl")):
                yield from self._from_lines(file, since_ms=since_ms)

    def _from_database(self, agent: str, file: Path, *, since_ms: int) -> Iterator[tuple[str, int]]:
        state = _state(file)
        if state is not None and state == self._states.get(agent):
            return  # with hundreds of agents it takes seconds to open each, and most have not changed
        inode = file.stat().st_ino
        known_inode, row = self._rows.get(agent, (0, 0))
        if known_inode != inode:  # restored from a backup, or made of the older transcripts: count anew
            self._asked[agent].forget_all()
            row = 0
        try:
            # read only, through the gateway's own write-ahead log: nothing of it is touched
            with closing(
                sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
            ) as database:
                self._note_schema(agent, database.execute("PRAGMA user_version").fetchone()[0])
                if database.execute(_LAST_ROW).fetchone()[0] < row:  # rows are gone, their numbers free again
                    self._asked[agent].forget_all()
                    row = 0
                for number, session, created_at, text, packed in database.execute(_EVENTS, (row, since_ms)):
                    row = number
                    if _is_question(_event(text, packed)):
                        yield session, created_at
            self._states[agent] = state
        except sqlite3.Error as exc:
            log.warning(
                "transcripts_unreadable", agent=agent, reason=str(exc), schema=self._schemas.get(agent)
            )
        self._rows[agent] = (inode, row)

    def _note_schema(self, agent: str, schema: int) -> None:
        """Say once that a database has another schema than the one that this was made for."""
        if schema not in (KNOWN_SCHEMA, self._schemas.get(agent)):
            log.warning("transcripts_schema_unknown", agent=agent, schema=schema, known_schema=KNOWN_SCHEMA)
        self._schemas[agent] = schema

    def _from_lines(self, file: Path, *, since_ms: int) -> Iterator[tuple[str, int]]:
        offset = self._offsets.get(file, 0)
        try:
            size = file.stat().st_size
            if size <= offset:  # less of it: `sessions.compact` has kept the last lines only
                self._offsets[file] = size
                return
            with file.open("rb") as lines:
                lines.seek(offset)
                for line in lines:
                    if not line.endswith(b"\n"):  # it is being written
                        break
                    offset += len(line)
                    event = _parse(line)
                    at_ms = _time_of(event)
                    if at_ms >= since_ms and _is_question(event):
                        yield file.stem, at_ms
        except OSError as exc:
            log.warning("transcript_unreadable", file=file.name, reason=exc.strerror)
        self._offsets[file] = offset


def today() -> int:
    """Return the number of this day since 1970, UTC."""
    return int(time.time()) // 86_400


def _state(file: Path) -> _State | None:
    """Return what each write to a database changes; None while the next one might not."""
    parts = [file.stat()]
    with suppress(FileNotFoundError):  # the gateway removes it when it stops
        parts.append(file.with_name(f"{file.name}-wal").stat())
    settled = time.time_ns() - max(part.st_mtime_ns for part in parts) > _SETTLED_NS
    # whoever reads may leave an empty log, which tells nothing
    written = tuple((part.st_ino, part.st_mtime_ns, part.st_size) for part in parts if part.st_size)
    return written if settled else None


def _event(text: str | None, packed: bytes | None) -> dict[str, Any]:
    if text is not None:
        return _parse(text)
    try:
        return _parse(zstandard.ZstdDecompressor().decompress(packed or b"", max_output_size=4 * 1024 * 1024))
    except zstandard.ZstdError:
        return {}


def _parse(text: str | bytes) -> dict[str, Any]:
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _is_question(event: dict[str, Any]) -> bool:
    """Whether somebody asked the agent; what it answered, or what a tool returned, does not count."""
    message = event.get("message")
    return event.get("type") == "message" and isinstance(message, dict) and message.get("role") == "user"


def _time_of(event: dict[str, Any]) -> int:
    """Return the event's time, Unix ms; 0 where it has none."""
    try:
        return int(datetime.fromisoformat(str(event.get("timestamp"))).timestamp() * 1000)
    except ValueError:
        return 0
