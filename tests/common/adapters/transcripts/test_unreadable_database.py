"""Databases that cannot be read, or have a schema that is not known."""

from contextlib import closing
from pathlib import Path

from structlog.testing import capture_logs

from buddy_common.adapters.transcripts import KNOWN_SCHEMA, TranscriptCounter
from common.adapters.transcripts.scene import Database, count, message


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
