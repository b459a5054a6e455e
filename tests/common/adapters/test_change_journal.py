"""The note that a killed worker leaves of a change, and what it tells the next one."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.change_journal import ChangeJournal, Side
from buddy_common.errors import StateUnwritableError


@pytest.fixture
def journal(tmp_path: Path) -> ChangeJournal:
    return ChangeJournal(tmp_path / "node" / "config-change.json")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two files that a change is about to write."""
    made = [tmp_path / "openclaw.json", tmp_path / "agents.json5"]
    for path in made:
        path.write_bytes(b"old")
    return made


def begin(journal: ChangeJournal, files: list[Path], **how: Any) -> None:
    journal.begin("t-1", backup="b-1", files={path: path.read_bytes() for path in files}, **how)


def side(journal: ChangeJournal) -> Side:
    change = journal.open_change()
    assert change is not None
    return change.side()


def test_there_is_no_change_before_the_first(journal: ChangeJournal) -> None:
    assert journal.open_change() is None
    assert journal.settled("t-1") is None
    journal.end()


def test_a_change_that_was_begun_is_known_to_the_next_process(
    journal: ChangeJournal, files: list[Path], tmp_path: Path
) -> None:
    begin(journal, files)

    change = ChangeJournal(tmp_path / "node" / "config-change.json").open_change()

    assert change is not None
    assert (change.task_id, change.backup, set(change.before)) == ("t-1", "b-1", set(files))


def test_the_note_holds_no_byte_of_the_config_and_is_private(
    journal: ChangeJournal, files: list[Path], tmp_path: Path
) -> None:
    files[0].write_bytes(b"sk-0123456789abcd")

    begin(journal, files)

    note = tmp_path / "node" / "config-change.json"
    assert "sk-" not in note.read_text()
    assert note.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (b"old", b"old", Side.OLD),
        (b"new", b"old", Side.MIXED),
        (b"old", b"new", Side.MIXED),
        (b"new", b"new", Side.NEW),
        (None, b"old", Side.MIXED),
        (None, None, Side.NEW),
    ],
)
def test_the_files_tell_which_config_is_there(
    first: bytes | None, second: bytes | None, expected: Side, journal: ChangeJournal, files: list[Path]
) -> None:
    begin(journal, files)
    for path, content in zip(files, (first, second), strict=True):
        path.unlink()
        if content is not None:
            path.write_bytes(content)

    assert side(journal) is expected


def test_a_gateway_that_writes_one_of_the_files_has_written_all_that_it_wanted(
    journal: ChangeJournal, files: list[Path]
) -> None:
    begin(journal, files, writes_all=False)
    assert side(journal) is Side.OLD

    files[1].write_bytes(b"new")

    assert side(journal) is Side.NEW


def test_a_change_that_is_ended_leaves_nothing(journal: ChangeJournal, files: list[Path]) -> None:
    begin(journal, files)
    journal.end()

    assert journal.open_change() is None
    assert journal.settled("t-1") is None


@pytest.mark.parametrize("found", list(Side))
def test_what_a_change_came_to_is_remembered_for_its_task_alone(
    found: Side, journal: ChangeJournal, files: list[Path]
) -> None:
    begin(journal, files)
    change = journal.open_change()
    assert change is not None

    journal.settle(change, found)

    assert journal.open_change() is None
    assert journal.settled("t-1") is found
    assert journal.settled("t-2") is None


def test_what_earlier_changes_came_to_is_remembered_for_a_while(
    journal: ChangeJournal, files: list[Path]
) -> None:
    for number in range(60):
        journal.begin(f"t-{number}", backup="b", files={files[0]: b"old"})
        change = journal.open_change()
        assert change is not None
        journal.settle(change, Side.OLD if number % 2 else Side.NEW)

    assert [journal.settled(f"t-{number}") for number in (58, 59)] == [Side.NEW, Side.OLD]
    assert journal.settled("t-10") is Side.NEW
    assert journal.settled("t-9") is None


def test_a_full_disk_keeps_the_note(
    journal: ChangeJournal, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    begin(journal, files)
    change = journal.open_change()
    assert change is not None
    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StateUnwritableError, match="No space left"):
        journal.settle(change, Side.OLD)

    assert journal.open_change() == change


def test_a_new_change_takes_the_place_of_the_old_note(journal: ChangeJournal, files: list[Path]) -> None:
    begin(journal, files)
    journal.begin("t-2", backup="b-2", files={files[0]: b"old"})

    change = journal.open_change()

    assert change is not None
    assert (change.task_id, list(change.before)) == ("t-2", [files[0]])


def test_a_note_of_an_earlier_version_counts_as_one_of_all_its_files(
    journal: ChangeJournal, files: list[Path], tmp_path: Path
) -> None:
    begin(journal, files)
    note = tmp_path / "node" / "config-change.json"
    record = json.loads(note.read_bytes())
    del record["writes_all"]
    note.write_text(json.dumps(record))
    files[0].write_bytes(b"new")

    assert side(journal) is Side.MIXED


def test_a_full_disk_is_told_before_anything_is_written(
    journal: ChangeJournal, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StateUnwritableError, match="No space left"):
        begin(journal, files)

    assert journal.open_change() is None


@pytest.mark.parametrize("found", list(Side))
def test_each_side_is_told_to_people_in_a_sentence(found: Side) -> None:
    assert found.shown.endswith(".")
