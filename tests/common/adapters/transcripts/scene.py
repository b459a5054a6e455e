"""Transcripts as either generation keeps them, and what a counter does with them."""

import json
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard

from buddy_common.adapters import transcript_events, transcript_lines, transcripts
from buddy_common.adapters.transcripts import KNOWN_SCHEMA, TranscriptCounter

DAY_MS = 86_400_000
TODAY = 20_700
NOON = TODAY * DAY_MS + DAY_MS // 2
KEEP_DAYS = 90
_TABLE = """CREATE TABLE transcript_events (
    session_id TEXT, seq INTEGER, event_json TEXT, created_at INTEGER, event_zstd BLOB,
    event_utf8_bytes INTEGER, navigation_json TEXT, PRIMARY KEY (session_id, seq)
)"""


def message(role: str = "user", *, at: int = NOON, **more: Any) -> dict[str, Any]:
    """An event as both generations keep it; `at` in Unix ms."""
    timestamp = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    return {
        "type": "message",
        "id": "a1b2",
        "timestamp": timestamp.replace("+00:00", "Z"),
        "message": {"role": role, "content": [{"type": "text", "text": "Wie spät ist es? 几点了"}]},
        **more,
    }


class Database:
    """The database of one agent, as 2026.9 keeps it: open for writing, with a write-ahead log."""

    def __init__(self, agents: Path, agent: str = "main", *, name: str = "openclaw-agent.sqlite") -> None:
        self.file = agents / agent / "agent" / name
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(self.file)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self.set_schema(KNOWN_SCHEMA)
        self.run(_TABLE)

    def set_schema(self, version: int) -> None:
        self.run(f"PRAGMA user_version = {version}")

    def run(self, statement: str, *values: Any) -> None:
        with self._connection:
            self._connection.execute(statement, values)

    def add(self, event: Any, *, session: str = "s-1", at: int = NOON, packed: bool = False) -> None:
        text = event if isinstance(event, str) else json.dumps(event)
        (number,) = self._connection.execute("SELECT count(*) FROM transcript_events").fetchone()
        plain, zstd = (None, zstandard.compress(text.encode())) if packed else (text, None)
        self.add_row(session, number, plain, at, zstd)

    def add_row(self, session: str, seq: int, plain: str | None, at: int, zstd: bytes | None) -> None:
        self.run(
            "INSERT INTO transcript_events (session_id, seq, event_json, created_at, event_zstd)"
            " VALUES (?, ?, ?, ?, ?)",
            *(session, seq, plain, at, zstd),
        )

    def close(self) -> None:
        self._connection.close()


class Lines:
    """The transcript of one session, as the older generation keeps it."""

    def __init__(self, agents: Path, agent: str = "main", session: str = "s-1") -> None:
        self.file = agents / agent / "sessions" / f"{session}.jsonl"
        self.file.parent.mkdir(parents=True, exist_ok=True)

    def add(self, *events: Any) -> None:
        self.add_text("".join(f"{json.dumps(event)}\n" for event in events))

    def add_text(self, text: str | bytes) -> None:
        with self.file.open("ab") as file:
            file.write(text.encode() if isinstance(text, str) else text)


def note_what_is_read(monkeypatch: pytest.MonkeyPatch) -> list[str | bytes]:
    """Return the events that are looked at from now on."""
    read: list[str | bytes] = []
    parse = transcript_events.parse

    def note(text: str | bytes) -> dict[str, Any]:
        read.append(text)
        return parse(text)

    for reader in (transcripts, transcript_lines):
        monkeypatch.setattr(reader, "parse", note)
    return read


def note_what_is_opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the databases that are opened from now on."""
    opened: list[str] = []
    connect = sqlite3.connect

    def note(database: str, **options: Any) -> sqlite3.Connection:
        opened.append(database)
        found: sqlite3.Connection = connect(database, **options)
        return found

    monkeypatch.setattr(sqlite3, "connect", note)
    return opened


def settle(database: Database) -> None:
    """Let the last write be a while ago."""
    for file in database.file.parent.glob(f"{database.file.name}*"):
        os.utime(file, (NOON / 1000, NOON / 1000))


def count(counter: TranscriptCounter, agent: str = "main") -> int:
    """Return how many questions were counted for an agent."""
    return counter.update()[agent].questions.total()
