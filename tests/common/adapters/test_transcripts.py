"""Counting questions in the transcripts of both generations."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard
from structlog.testing import capture_logs

from buddy_common.adapters import transcripts
from buddy_common.adapters.transcripts import KNOWN_SCHEMA, Asked, TranscriptCounter, today

DAY_MS = 86_400_000
TODAY = 20_700
NOON = TODAY * DAY_MS + DAY_MS // 2
KEEP_DAYS = 90
_TABLE = """CREATE TABLE transcript_events (
    session_id TEXT, seq INTEGER, event_json TEXT, created_at INTEGER, event_zstd BLOB,
    event_utf8_bytes INTEGER, navigation_json TEXT, PRIMARY KEY (session_id, seq)
)"""


@pytest.fixture(autouse=True)
def fixed_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcripts, "today", lambda: TODAY)


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "agents"
    folder.mkdir()
    return folder


@pytest.fixture
def counter(agents: Path) -> TranscriptCounter:
    return TranscriptCounter(agents, keep_days=KEEP_DAYS)


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


@pytest.fixture
def database(agents: Path) -> Iterator[Database]:
    with closing(Database(agents)) as opened:
        yield opened


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
    parse = transcripts._parse

    def note(text: str | bytes) -> dict[str, Any]:
        read.append(text)
        return parse(text)

    monkeypatch.setattr(transcripts, "_parse", note)
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


# both generations


def test_without_agents_there_are_no_counts(tmp_path: Path, counter: TranscriptCounter) -> None:
    assert counter.update() == {}
    assert TranscriptCounter(tmp_path / "missing", keep_days=1).update() == {}


def test_an_agent_that_was_never_asked_has_no_questions(agents: Path, counter: TranscriptCounter) -> None:
    (agents / "main").mkdir()
    (agents / "a-file").touch()

    assert counter.update() == {"main": Asked()}


def test_agents_are_counted_apart_and_of_either_generation(agents: Path, counter: TranscriptCounter) -> None:
    Lines(agents, "old").add(message())
    with closing(Database(agents, "new")) as database:
        database.add(message())
        database.add(message())

        assert (count(counter, "old"), count(counter, "new")) == (1, 2)


def test_days_are_those_of_utc() -> None:
    before = int(datetime.now(UTC).timestamp()) // 86_400

    assert before <= today() <= before + 1


# 2026.9: a database per agent


@pytest.mark.parametrize("packed", [False, True])
def test_questions_are_counted_by_session_and_day(
    database: Database, counter: TranscriptCounter, *, packed: bool
) -> None:
    yesterday = NOON - DAY_MS
    database.add(message(), packed=packed)
    database.add(message(), packed=packed)
    database.add(message(), at=yesterday, packed=packed)
    database.add(message(), session="s-2", at=yesterday, packed=packed)

    asked = counter.update()["main"]

    assert asked.questions == {("s-1", TODAY): 2, ("s-1", TODAY - 1): 1, ("s-2", TODAY - 1): 1}
    assert asked.last_at == NOON


def test_only_what_people_said_counts(database: Database, counter: TranscriptCounter) -> None:
    others: list[Any] = [
        message("assistant"), message("toolResult"), message(type="compaction"),
        {"type": "session", "version": 4}, {"type": "message"}, {"type": "message", "message": "user"},
        [], "no JSON", '"text"', "", "[" * 100_000,
    ]  # fmt: skip
    for event in others:
        database.add(event)

    assert count(counter) == 0
    database.add(message())
    assert count(counter) == 1


@pytest.mark.parametrize(
    "packed",
    [
        None,
        b"",
        b"no zstd",
        zstandard.compress(b"x" * 1000)[:-5],
        zstandard.compress(b"no JSON"),
        zstandard.compress(b"\xff"),
    ],
)
def test_a_packed_event_that_cannot_be_read_is_passed_over(
    database: Database, counter: TranscriptCounter, packed: bytes | None
) -> None:
    database.add_row("s-1", 100, None, NOON, packed)
    database.add(message(), packed=True)

    assert count(counter) == 1


def test_a_packed_event_that_does_not_tell_its_size_is_read(
    database: Database, counter: TranscriptCounter
) -> None:
    text = json.dumps(message()).encode()
    packed = zstandard.ZstdCompressor(write_content_size=False).compress(text)
    database.add_row("s-1", 100, None, NOON, packed)

    assert count(counter) == 1


def test_only_new_rows_are_read(
    database: Database, counter: TranscriptCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        database.add(message())
    assert count(counter) == 3
    read = note_what_is_read(monkeypatch)

    assert count(counter) == 3
    assert read == []
    database.add(message(), at=NOON + 5)
    asked = counter.update()["main"]

    assert (asked.questions.total(), asked.last_at, len(read)) == (4, NOON + 5, 1)


def test_a_database_that_has_not_changed_is_not_opened(
    database: Database, counter: TranscriptCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.add(message())
    settle(database)
    assert count(counter) == 1
    opened = note_what_is_opened(monkeypatch)

    assert (count(counter), opened) == (1, [])
    database.add(message())

    assert (count(counter), len(opened)) == (2, 1)


def test_a_database_that_was_just_written_is_opened_again(
    database: Database, counter: TranscriptCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.add(message())
    assert count(counter) == 1
    opened = note_what_is_opened(monkeypatch)

    assert (count(counter), len(opened)) == (1, 1)


def test_a_database_that_could_not_be_read_is_opened_again(
    database: Database, counter: TranscriptCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.add(message())
    settle(database)
    with monkeypatch.context() as broken:
        broken.setattr(transcripts, "_LAST_ROW", "SELECT nothing")
        assert count(counter) == 0

    assert count(counter) == 1


def test_what_the_gateway_packs_later_is_not_counted_twice(
    database: Database, counter: TranscriptCounter
) -> None:
    database.add(message())
    assert count(counter) == 1

    packed = zstandard.compress(json.dumps(message()).encode())
    database.run("UPDATE transcript_events SET event_json = NULL, event_zstd = ?", packed)

    assert count(counter) == 1


def test_a_replaced_database_is_counted_anew(
    agents: Path, database: Database, counter: TranscriptCounter
) -> None:
    for _ in range(3):
        database.add(message())
    assert count(counter) == 3
    database.close()

    with closing(Database(agents, name="restored.sqlite")) as restored:
        restored.add(message(), session="s-0", at=NOON - DAY_MS)
    for left in ("-wal", "-shm"):
        Path(f"{database.file}{left}").unlink(missing_ok=True)
    restored.file.rename(database.file)
    asked = counter.update()["main"]

    assert asked.questions == {("s-0", TODAY - 1): 1}
    assert asked.last_at == NOON - DAY_MS


def test_after_rows_were_removed_at_the_end_new_ones_are_not_missed(
    database: Database, counter: TranscriptCounter
) -> None:
    """SQLite gives the numbers of removed rows away again."""
    for session in ("s-1", "s-2", "s-2", "s-2"):
        database.add(message(), session=session)
    assert count(counter) == 4

    database.run("DELETE FROM transcript_events WHERE session_id = 's-2'")
    assert count(counter) == 1
    database.add(message(), session="s-3")

    assert counter.update()["main"].questions == {("s-1", TODAY): 1, ("s-3", TODAY): 1}


def test_a_cleared_database_has_no_questions(database: Database, counter: TranscriptCounter) -> None:
    database.add(message())
    assert count(counter) == 1

    database.run("DELETE FROM transcript_events")

    assert count(counter) == 0


def test_rows_older_than_the_cut_off_do_not_count(database: Database, counter: TranscriptCounter) -> None:
    first_day = (TODAY - KEEP_DAYS) * DAY_MS
    database.add(message(), at=first_day - 1)
    database.add(message(), at=first_day)

    assert counter.update()["main"].questions == {("s-1", TODAY - KEEP_DAYS): 1}


def test_what_gets_too_old_is_forgotten(
    database: Database, counter: TranscriptCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.add(message(), at=NOON - KEEP_DAYS * DAY_MS)
    database.add(message())
    assert count(counter) == 2

    monkeypatch.setattr(transcripts, "today", lambda: TODAY + 1)

    assert counter.update()["main"].questions == {("s-1", TODAY): 1}


@pytest.mark.parametrize("agent", ["50%", "a#b", "a?mode=rwc", "a b", "机器人", "%41"])
def test_an_agents_name_may_hold_any_letter(agents: Path, counter: TranscriptCounter, agent: str) -> None:
    with closing(Database(agents, agent)) as database:
        database.add(message())

        assert count(counter, agent) == 1


def test_nothing_is_written_to_the_database(database: Database, counter: TranscriptCounter) -> None:
    database.add(message())
    files = [database.file, Path(f"{database.file}-wal")]
    before = [(file.read_bytes(), file.stat().st_mtime_ns) for file in files]

    assert count(counter) == 1

    assert [(file.read_bytes(), file.stat().st_mtime_ns) for file in files] == before


def test_a_database_is_read_while_the_gateway_writes(database: Database, counter: TranscriptCounter) -> None:
    database.add(message())
    with closing(sqlite3.connect(database.file, isolation_level=None)) as gateway:
        gateway.execute("BEGIN IMMEDIATE")
        gateway.execute(
            "INSERT INTO transcript_events (session_id, seq, event_json, created_at) VALUES ('s-1', 9, ?, ?)",
            (json.dumps(message()), NOON),
        )
        assert count(counter) == 1
        gateway.execute("COMMIT")

    assert count(counter) == 2


def test_a_database_that_cannot_be_read_is_told_and_read_when_it_can(
    agents: Path, counter: TranscriptCounter
) -> None:
    file = agents / "main" / "agent" / "openclaw-agent.sqlite"
    file.parent.mkdir(parents=True)
    file.write_text("no database, but long enough to be taken for one" * 50)

    with capture_logs() as logs:
        assert count(counter) == 0
    assert [(entry["event"], entry["agent"]) for entry in logs] == [("transcripts_unreadable", "main")]

    file.unlink()
    with closing(Database(agents)) as database:
        database.add(message())
        assert count(counter) == 1


def test_a_schema_that_is_not_known_is_told_once_and_read_all_the_same(
    agents: Path, database: Database, counter: TranscriptCounter
) -> None:
    newer = Database(agents, "bot_1")
    newer.set_schema(KNOWN_SCHEMA + 1)
    for one in (database, newer):
        one.add(message())

    with capture_logs() as logs:
        counts = [(count(counter), count(counter, "bot_1")) for _ in range(3)]
        newer.set_schema(KNOWN_SCHEMA + 2)
        counter.update()

    assert counts == [(1, 1)] * 3
    told = [(entry["event"], entry["agent"], entry["schema"]) for entry in logs]
    assert told == [
        ("transcripts_schema_unknown", "bot_1", KNOWN_SCHEMA + 1),
        ("transcripts_schema_unknown", "bot_1", KNOWN_SCHEMA + 2),
    ]


def test_a_schema_that_counts_in_other_columns_is_told_and_leaves_the_others_alone(
    agents: Path, database: Database, counter: TranscriptCounter
) -> None:
    database.add(message())
    newer = Database(agents, "bot_1")
    newer.set_schema(KNOWN_SCHEMA + 1)
    newer.run("ALTER TABLE transcript_events RENAME COLUMN event_zstd TO packed")

    with capture_logs() as logs:
        assert (count(counter), count(counter, "bot_1")) == (1, 0)

    events = {(entry["event"], entry["schema"]) for entry in logs}
    assert ("transcripts_unreadable", KNOWN_SCHEMA + 1) in events


def test_a_schema_without_the_table_is_told_and_what_was_counted_stays(
    database: Database, counter: TranscriptCounter
) -> None:
    database.add(message())
    assert count(counter) == 1
    database.run("ALTER TABLE transcript_events RENAME TO moved")

    with capture_logs() as logs:
        assert count(counter) == 1
    assert "transcript_events" in logs[0]["reason"]

    database.run("ALTER TABLE moved RENAME TO transcript_events")
    database.add(message())
    assert count(counter) == 2


def test_one_unreadable_database_does_not_keep_the_others_from_being_counted(
    agents: Path, database: Database, counter: TranscriptCounter
) -> None:
    Database(agents, "broken").close()
    (agents / "broken" / "agent" / "openclaw-agent.sqlite").write_bytes(b"x" * 4096)
    database.add(message())

    assert (count(counter), count(counter, "broken")) == (1, 0)


def test_an_agent_that_moved_to_a_database_is_not_counted_twice(
    agents: Path, counter: TranscriptCounter
) -> None:
    """An update of OpenClaw takes the old transcripts over."""
    Lines(agents).add(message(), message())
    assert count(counter) == 2

    with closing(Database(agents)) as database:
        for _ in range(3):
            database.add(message())
        assert count(counter) == 3


# before: a file of lines per session


def test_lines_are_counted_by_session_and_day(agents: Path, counter: TranscriptCounter) -> None:
    first = Lines(agents)
    first.add({"type": "session", "version": 3}, message(), message("assistant"), message(at=NOON - DAY_MS))
    Lines(agents, session="s-2").add(message(at=NOON + 7))

    asked = counter.update()["main"]

    assert asked.questions == {("s-1", TODAY): 1, ("s-1", TODAY - 1): 1, ("s-2", TODAY): 1}
    assert asked.last_at == NOON + 7


def test_other_files_beside_them_do_not_count(agents: Path, counter: TranscriptCounter) -> None:
    lines = Lines(agents)
    lines.add(message())
    for name in (
        "sessions.json",
        "s-0.jsonl.deleted.2026-09-01",
        "s-0.jsonl.reset.2026-09-01",
        "s-0.jsonl.lock",
    ):
        (lines.file.parent / name).write_bytes(lines.file.read_bytes())

    assert count(counter) == 1


def test_a_half_written_line_counts_when_it_is_whole(agents: Path, counter: TranscriptCounter) -> None:
    lines = Lines(agents)
    lines.add(message())
    text = json.dumps(message(), ensure_ascii=False).encode()
    middle = text.index("几".encode()) + 1  # even within a letter
    lines.add_text(text[:middle])
    assert count(counter) == 1
    assert count(counter) == 1

    lines.add_text(text[middle:])
    assert count(counter) == 1
    lines.add_text("\n")

    assert count(counter) == 2


def test_only_lines_that_were_added_are_read(
    agents: Path, counter: TranscriptCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = Lines(agents)
    lines.add(message(), message())
    assert count(counter) == 2
    read = note_what_is_read(monkeypatch)

    assert count(counter) == 2
    lines.add(message())
    Lines(agents, session="s-2").add(message())

    assert count(counter) == 4
    assert len(read) == 2


def test_lines_that_cannot_be_read_are_passed_over(agents: Path, counter: TranscriptCounter) -> None:
    lines = Lines(agents)
    lines.add_text("no JSON\n\n[1]\n")
    lines.add_text(b'\xff\xfe\n{"type":"message"\n' + b"[" * 100_000 + b"\n")
    lines.add(message(), {"type": "message", "message": {"role": "user"}})  # one without a time
    lines.add(message(timestamp="yesterday"), message(timestamp=None), message(timestamp=NOON))

    assert count(counter) == 1


def test_lines_older_than_the_cut_off_do_not_count(agents: Path, counter: TranscriptCounter) -> None:
    first_day = (TODAY - KEEP_DAYS) * DAY_MS
    Lines(agents).add(message(at=first_day - 1), message(at=first_day))

    assert counter.update()["main"].questions == {("s-1", TODAY - KEEP_DAYS): 1}


def test_after_a_file_was_cut_short_what_is_added_counts(agents: Path, counter: TranscriptCounter) -> None:
    """`sessions.compact` of 2026.3 keeps the last lines only."""
    lines = Lines(agents)
    lines.add(*(message() for _ in range(5)))
    assert count(counter) == 5
    lines.file.write_bytes(b"".join(lines.file.read_bytes().splitlines(keepends=True)[-2:]))
    assert count(counter) == 5

    lines.add(message())

    assert count(counter) == 6


def test_a_file_that_is_no_file_is_told(agents: Path, counter: TranscriptCounter) -> None:
    lines = Lines(agents, session="s-2")
    lines.add(message())
    (lines.file.parent / "s-1.jsonl").mkdir()

    with capture_logs() as logs:
        assert count(counter) == 1
    assert [(entry["event"], entry["file"]) for entry in logs] == [("transcript_unreadable", "s-1.jsonl")]


def test_a_session_that_is_removed_stays_counted(agents: Path, counter: TranscriptCounter) -> None:
    lines = Lines(agents)
    lines.add(message())
    assert count(counter) == 1

    lines.file.unlink()

    assert count(counter) == 1
