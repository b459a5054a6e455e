"""Counting questions in the transcripts of both generations."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from buddy_common.adapters.transcripts import Asked, TranscriptCounter, today
from common.adapters.transcripts.scene import Database, Lines, count, message


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
