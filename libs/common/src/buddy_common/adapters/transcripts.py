"""Counting what people asked each agent, from OpenClaw's own transcripts; read only, and only what is new.

2026.9 keeps them in `agents/ID/agent/openclaw-agent.sqlite`, before that one `sessions/*.jsonl` per session.
"""

import sqlite3
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from buddy_common.adapters.transcript_events import Event, is_question, parse, unpacked
from buddy_common.adapters.transcript_lines import SessionFiles

log = structlog.get_logger(__name__)

# `PRAGMA user_version` of 2026.9.6. Others are told and read all the same, since the columns that count have
# outlived many; where they have not, that is an error of its own. There is no other way to count.
KNOWN_SCHEMA = 23
DATABASE = Path("agent") / "openclaw-agent.sqlite"
SESSIONS = Path("sessions")
_DATABASE_SOURCE, _LINES_SOURCE = "database", "lines"
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


# the file or folder that an agent's transcripts are in
_Source = tuple[str, int]


@dataclass
class _Agent:
    """What is known of one agent, all of it of one source."""

    source: _Source | None
    lines: SessionFiles
    asked: Asked = field(default_factory=Asked)
    row: int = 0  # the highest that was read
    state: _State | None = None  # its database when it was read last
    schema: int | None = None  # what its database said last


class TranscriptCounter:
    """The counts of all agents under one state folder, kept up to date by reading what was added."""

    def __init__(self, agents_folder: Path, *, keep_days: int) -> None:
        self._folder = agents_folder
        self._keep_days = keep_days
        self._agents: dict[str, _Agent] = {}

    def update(self, heartbeat_prompts: Collection[str] = ()) -> dict[str, Asked]:
        """Read what is new and return the counts by agent; takes milliseconds, the first time longer.

        `heartbeat_prompts` are those of the config; turns that begin with one are nobody's question.
        """
        first_day = today() - self._keep_days
        self._agents = {folder.name: self._agent(folder) for folder in sorted(self._folder.glob("*/"))}
        for name, agent in self._agents.items():
            for session, at_ms, event in self._new_events(name, agent, since_ms=first_day * _DAY_MS):
                if is_question(event, heartbeat_prompts):
                    agent.asked.note(session, at_ms)
            agent.asked.forget_before(first_day)
        return {name: agent.asked for name, agent in self._agents.items()}

    def _agent(self, folder: Path) -> _Agent:
        """Return what is known of an agent; nothing where what it was read from is gone or another one.

        So it is after it was deleted and added again, restored from a backup, or its older transcripts were
        taken over into a database.
        """
        source, known = _source(folder), self._agents.get(folder.name)
        if known is not None and known.source == source:
            return known
        return _Agent(source, SessionFiles(folder / SESSIONS))

    def _new_events(self, name: str, agent: _Agent, *, since_ms: int) -> Iterator[tuple[str, int, Event]]:
        if agent.source is None:
            return
        if agent.source[0] == _DATABASE_SOURCE:
            yield from self._from_database(name, agent, since_ms=since_ms)
        else:
            yield from agent.lines.new_events(since_ms=since_ms)

    def _from_database(self, name: str, agent: _Agent, *, since_ms: int) -> Iterator[tuple[str, int, Event]]:
        file = self._folder / name / DATABASE
        try:
            state = _state(file)
            if state is not None and state == agent.state:
                return  # with hundreds of agents it takes seconds to open each, and most have not changed
            # read only, through the gateway's own write-ahead log: nothing of it is touched
            with closing(
                sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
            ) as database:
                _note_schema(name, agent, database.execute("PRAGMA user_version").fetchone()[0])
                if database.execute(_LAST_ROW).fetchone()[0] < agent.row:
                    agent.asked.forget_all()  # rows are gone, their numbers free again
                    agent.row = 0
                for row, session, at_ms, text, packed in database.execute(_EVENTS, (agent.row, since_ms)):
                    agent.row = row
                    yield session, at_ms, parse(text if text is not None else unpacked(packed or b""))
            agent.state = state
        except (OSError, sqlite3.Error) as exc:
            log.warning("transcripts_unreadable", agent=name, reason=str(exc), schema=agent.schema)


def _source(folder: Path) -> _Source | None:
    for kind, path in ((_DATABASE_SOURCE, DATABASE), (_LINES_SOURCE, SESSIONS)):
        with suppress(FileNotFoundError, NotADirectoryError):
            return kind, (folder / path).stat().st_ino
    return None


def _note_schema(name: str, agent: _Agent, schema: int) -> None:
    """Say once that a database has another schema than the one that this was made for."""
    if schema not in (KNOWN_SCHEMA, agent.schema):
        log.warning("transcripts_schema_unknown", agent=name, schema=schema, known_schema=KNOWN_SCHEMA)
    agent.schema = schema


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
