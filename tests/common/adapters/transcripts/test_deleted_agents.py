"""Agents that are deleted, and others that are added under the same id."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from buddy_common.adapters.transcripts import Asked, TranscriptCounter
from common.adapters.transcripts.scene import TODAY, Database, Lines, count, message


def ask(agents: Path, session: str, *, new: bool, times: int = 1) -> None:
    """Let the agent be asked."""
    if not new:
        Lines(agents, session=session).add(*(message() for _ in range(times)))
        return
    with closing(Database(agents)) as database:
        for _ in range(times):
            database.add(message(), session=session)


@pytest.mark.parametrize("new", [False, True])
def test_an_agent_that_is_added_again_starts_from_nothing(
    agents: Path, counter: TranscriptCounter, *, new: bool
) -> None:
    ask(agents, "s-1", new=new, times=3)
    assert count(counter) == 3
    shutil.rmtree(agents / "main")
    assert counter.update() == {}

    (agents / "main").mkdir()
    assert counter.update() == {"main": Asked()}
    ask(agents, "s-2", new=new)

    assert counter.update()["main"].questions == {("s-2", TODAY): 1}


@pytest.mark.parametrize("new", [False, True])
def test_an_agent_that_is_added_again_at_once_starts_from_nothing(
    agents: Path, counter: TranscriptCounter, *, new: bool
) -> None:
    """Nobody looked in between."""
    ask(agents, "s-1", new=new, times=3)
    assert count(counter) == 3
    (agents / "main").rename(agents.parent / "archived")

    ask(agents, "s-2", new=new, times=4)

    assert counter.update()["main"].questions == {("s-2", TODAY): 4}


@pytest.mark.parametrize("again", [False, True])
def test_an_agent_whose_folder_stays_without_its_sessions_starts_from_nothing(
    agents: Path, counter: TranscriptCounter, *, again: bool
) -> None:
    """`agents.delete` of 2026.3 moves the folders in it to the trash, and leaves it."""
    ask(agents, "s-1", new=False, times=3)
    assert count(counter) == 3
    (agents / "main" / "sessions").rename(agents.parent / "trash")

    if again:
        ask(agents, "s-2", new=False)

    assert count(counter) == int(again)


def test_an_agent_that_gets_its_sessions_back_has_its_counts(
    agents: Path, counter: TranscriptCounter
) -> None:
    ask(agents, "s-1", new=False, times=3)
    assert count(counter) == 3
    archived = (agents / "main").rename(agents.parent / "archived")
    assert counter.update() == {}

    archived.rename(agents / "main")

    assert count(counter) == 3
