"""Counting questions in the database that an agent has since 2026.9."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import zstandard

from buddy_common.adapters import transcripts
from buddy_common.adapters.transcripts import TranscriptCounter
from common.adapters.transcripts.scene import (
    DAY_MS,
    KEEP_DAYS,
    NOON,
    TODAY,
    Database,
    count,
    message,
    note_what_is_opened,
    note_what_is_read,
    settle,
)


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
