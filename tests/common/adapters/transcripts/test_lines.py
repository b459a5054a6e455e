"""Counting questions in the files of lines, one per session, of the older generation."""

import errno
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from buddy_common.adapters.transcripts import TranscriptCounter
from common.adapters.transcripts.scene import (
    DAY_MS,
    KEEP_DAYS,
    NOON,
    TODAY,
    Lines,
    count,
    message,
    note_what_is_read,
)


def test_lines_are_counted_by_session_and_day(agents: Path, counter: TranscriptCounter) -> None:
    first = Lines(agents)
    first.add({"type": "session", "version": 3}, message(), message("assistant"), message(at=NOON - DAY_MS))
    Lines(agents, session="s-2").add(message(at=NOON + 7))

    asked = counter.update()["main"]

    assert asked.questions == {("s-1", TODAY): 1, ("s-1", TODAY - 1): 1, ("s-2", TODAY): 1}
    assert asked.last_at == NOON + 7


def test_other_files_beside_them_do_not_count(agents: Path, counter: TranscriptCounter) -> None:
    """A `.bak` is what `sessions.compact` has copied: its last lines are in the session's own file, too."""
    lines = Lines(agents)
    lines.add(message())
    for name in (
        "sessions.json",
        "sessions.json.bak.1795621605000",
        "s-1.jsonl.bak.2026-09-01T04-00-00.000Z",
        "s-0.jsonl.reset.2026-09-01",
        "s-0.jsonl.lock",
        ".jsonl.reset.2026-09-01T04-00-00.000Z",
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


def test_a_folder_that_cannot_be_listed_is_told_and_the_others_are_counted(
    agents: Path, counter: TranscriptCounter
) -> None:
    Lines(agents).add(message())
    (agents / "broken").mkdir()
    (agents / "broken" / "sessions").touch()

    with capture_logs() as logs:
        assert (count(counter), count(counter, "broken")) == (1, 0)
    assert {entry["event"] for entry in logs} == {"transcript_unreadable"}


def test_lines_are_not_counted_twice_after_their_folder_could_not_be_listed(
    agents: Path, counter: TranscriptCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> Iterator[Path]:
        raise OSError(errno.EMFILE, "Too many open files", str(folder))

    Lines(agents).add(message())
    assert count(counter) == 1

    with monkeypatch.context() as broken, capture_logs() as logs:
        broken.setattr(Path, "iterdir", refuse)
        assert [count(counter) for _ in range(3)] == [1, 1, 1]

    assert {entry["event"] for entry in logs} == {"transcript_unreadable"}
    assert count(counter) == 1
