"""Sessions of the older generation that are reset or deleted: their lines get another name."""

from pathlib import Path

import pytest

from buddy_common.adapters.transcripts import TranscriptCounter
from common.adapters.transcripts.scene import (
    KEEP_DAYS,
    TODAY,
    Lines,
    count,
    message,
    note_what_is_read,
)

# as `archiveFileOnDisk` of 2026.3 makes them
RESET = "reset.2026-09-04T04-00-00.123Z"
NAMES = [RESET, "deleted.2026-09-04T11-30-59.001Z", "reset.2026-09-04T04-00-00Z"]


def archive(lines: Lines, name: str = RESET) -> Path:
    return lines.file.rename(f"{lines.file}.{name}")


@pytest.fixture
def restarted(agents: Path) -> TranscriptCounter:
    """The counter of a worker that starts when the test first asks it."""
    return TranscriptCounter(agents, keep_days=KEEP_DAYS)


def five_questions(agents: Path, counter: TranscriptCounter) -> Lines:
    """Return a session in which so many were asked and counted."""
    lines = Lines(agents)
    lines.add(*(message() for _ in range(5)))
    assert count(counter) == 5
    return lines


@pytest.mark.parametrize("name", NAMES)
def test_a_worker_that_starts_anew_counts_what_the_one_before_did(
    agents: Path, counter: TranscriptCounter, restarted: TranscriptCounter, name: str
) -> None:
    lines = five_questions(agents, counter)
    archive(lines, name)
    Lines(agents, session="s-2").add(message())

    assert counter.update()["main"].questions == {("s-1", TODAY): 5, ("s-2", TODAY): 1}
    assert restarted.update() == counter.update()


@pytest.mark.parametrize("name", NAMES)
def test_a_renamed_file_is_not_read_again(
    agents: Path, counter: TranscriptCounter, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    lines = Lines(agents)
    lines.add(message(), message())
    assert count(counter) == 2
    lines.add(message())
    archive(lines, name)
    read = note_what_is_read(monkeypatch)

    assert [count(counter) for _ in range(3)] == [3, 3, 3]
    assert len(read) == 1


def test_a_session_that_goes_on_under_its_id_after_a_reset_is_counted_on(
    agents: Path, counter: TranscriptCounter, restarted: TranscriptCounter
) -> None:
    lines = five_questions(agents, counter)
    archive(lines)
    lines.add(message())

    assert count(counter) == 6
    archive(lines, NAMES[1])
    lines.add(message())
    assert count(counter) == 7
    assert count(restarted) == 7


def test_a_session_that_goes_on_a_while_after_a_reset_is_counted_on(
    agents: Path, counter: TranscriptCounter
) -> None:
    lines = five_questions(agents, counter)
    archive(lines)
    assert count(counter) == 5

    lines.add(message())

    assert count(counter) == 6


def test_a_session_that_is_reset_and_deleted_before_anybody_looks_is_counted_once(
    agents: Path, counter: TranscriptCounter
) -> None:
    lines = five_questions(agents, counter)
    archive(lines)
    lines.add(message(), message())

    archive(lines, NAMES[1])  # it is listed first, and was never read

    assert count(counter) == 7


def test_what_a_compaction_keeps_is_not_counted_twice(agents: Path, counter: TranscriptCounter) -> None:
    """It writes the last lines to a new file, after it has renamed the one that it was."""
    lines = five_questions(agents, counter)
    kept = archive(lines, "bak.2026-09-04T04-00-00.123Z").read_bytes().splitlines(keepends=True)[-2:]
    lines.add_text(b"".join(kept))
    assert count(counter) == 5

    lines.add(message())
    assert count(counter) == 6
    archive(lines)

    assert count(counter) == 6


def test_a_listing_that_is_made_during_a_rename_counts_nothing_twice(
    agents: Path, counter: TranscriptCounter
) -> None:
    """One of a large folder may have neither the old name nor the new one."""
    lines = Lines(agents)
    lines.add(message())
    assert count(counter) == 1
    aside = lines.file.rename(agents / "aside")
    assert count(counter) == 1

    aside.rename(f"{lines.file}.{RESET}")

    assert count(counter) == 1


def test_a_session_that_is_removed_stays_counted(agents: Path, counter: TranscriptCounter) -> None:
    """As long as the worker runs; `sessions.delete` leaves its lines, an operator who cleans up does not."""
    lines = Lines(agents)
    lines.add(message())
    assert count(counter) == 1

    lines.file.unlink()

    assert count(counter) == 1


def test_nothing_is_kept_about_files_that_are_gone(agents: Path, counter: TranscriptCounter) -> None:
    for number in range(5):
        lines = Lines(agents, session=f"s-{number}")
        lines.add(message())
        counter.update()
        lines.file.unlink()
    counter.update()
    counter.update()
    lines.add(message())

    assert count(counter) == 6, "a file of the same name is another one"
