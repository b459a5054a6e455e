"""Lines on the disk: whole or not at all, whoever is killed and however full the disk is."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from buddy_watchdog.segments import Position, Segments

WRITER = """
import sys
from pathlib import Path
from buddy_watchdog.segments import Segments
segments = Segments(Path(sys.argv[1]), "events", durable=True, segment_bytes=2000)
number = 0
while True:
    segments.append([f"{number} {'x' * 100}"])
    print(number, flush=True)
    number += 1
"""


def segments_in(folder: Path, **options: int) -> Segments:
    return Segments(folder, "events", durable=True, **options)


def read_all(segments: Segments, *, batch: int = 100) -> list[str]:
    """Read on from where the last reader was, and remember it."""
    found: list[str] = []
    while True:
        lines, position = segments.read(segments.load_position(), limit=batch)
        segments.save_position(position)
        found += lines
        if not lines:
            return found


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_lines_are_read_in_order_across_files(tmp_path: Path, batch: int) -> None:
    segments = segments_in(tmp_path, segment_bytes=50)
    wanted = [f"line {number}" for number in range(40)]
    for line in wanted:
        segments.append([line])

    assert len(list(tmp_path.glob("events-*.jsonl"))) > 5
    assert read_all(segments, batch=batch) == wanted


def test_a_reader_goes_on_where_it_was(tmp_path: Path) -> None:
    segments = segments_in(tmp_path)
    segments.append(["a", "b"])
    assert read_all(segments) == ["a", "b"]
    segments.append(["c"])

    assert read_all(segments_in(tmp_path)) == ["c"]


def test_what_was_read_is_removed_but_for_the_file_that_is_written(tmp_path: Path) -> None:
    segments = segments_in(tmp_path, segment_bytes=50)
    for number in range(40):
        segments.append([f"line {number}"])
    read_all(segments)

    assert len(list(tmp_path.glob("events-*.jsonl"))) == 1


def test_the_next_process_begins_a_file_of_its_own_even_where_all_are_gone(tmp_path: Path) -> None:
    first = segments_in(tmp_path)
    first.append(["a"])
    read_all(first)
    first.close()
    for path in tmp_path.glob("events-*.jsonl"):
        path.unlink()
    second = segments_in(tmp_path)
    second.append(["b"])

    assert read_all(second) == ["b"]


def test_a_torn_line_of_a_dead_writer_is_passed_over(tmp_path: Path) -> None:
    first = segments_in(tmp_path)
    first.append(["a"])
    first.close()
    (path,) = tmp_path.glob("events-*.jsonl")
    with path.open("a") as file:
        file.write('{"half')
    second = segments_in(tmp_path)
    second.append(["b"])

    assert read_all(second) == ["a", "b"]


def test_a_file_that_another_process_still_writes_is_waited_for(tmp_path: Path) -> None:
    old, new = segments_in(tmp_path), segments_in(tmp_path)
    old.append(["a"])
    new.append(["c"])
    assert read_all(new) == ["a"]
    old.append(["b"])
    old.close()

    assert read_all(new) == ["b", "c"]


def test_what_a_full_disk_does_not_take_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segments = segments_in(tmp_path)
    segments.append(["a"])
    real = os.write

    def half(file: int, data: bytes) -> int:
        if len(data) > 4:
            return real(file, data[:4])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "write", half)
        with pytest.raises(OSError, match="No space"):
            segments.append(["bbbbbbb"])
    segments.append(["c"])

    assert read_all(segments) == ["a", "c"]


def test_where_not_even_that_can_be_taken_back_the_next_line_begins_a_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segments = segments_in(tmp_path)
    segments.append(["a"])
    real = os.write

    def fail(_file: int, *_rest: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    def half(file: int, data: bytes) -> int:
        real(file, data[:3])
        return fail(file)

    with monkeypatch.context() as broken:
        broken.setattr(os, "write", half)
        broken.setattr(os, "ftruncate", fail)
        with pytest.raises(OSError, match="Input/output"):
            segments.append(["bbbbbbb"])
    segments.append(["c"])

    assert read_all(segments) == ["a", "c"]


def test_the_oldest_files_go_where_there_is_a_limit(tmp_path: Path) -> None:
    segments = segments_in(tmp_path, segment_bytes=100, limit_bytes=500)
    for number in range(200):
        segments.append([f"{number:09d}"])
    found = read_all(segments)

    assert sum(path.stat().st_size for path in tmp_path.glob("events-*.jsonl")) <= 600
    assert found[-1] == f"{199:09d}"
    assert found == [f"{number:09d}" for number in range(200 - len(found), 200)]
    assert 20 < len(found) < 70


def test_without_a_limit_nothing_goes(tmp_path: Path) -> None:
    segments = segments_in(tmp_path, segment_bytes=100)
    for number in range(200):
        segments.append([f"{number}"])

    assert len(read_all(segments)) == 200


@pytest.mark.parametrize("content", ["", "{", "[1]", '"x"'])
def test_a_damaged_position_means_to_begin_anew(tmp_path: Path, content: str) -> None:
    segments = segments_in(tmp_path)
    segments.append(["a"])
    read_all(segments)
    (tmp_path / "events.position.json").write_text(content)

    assert segments.load_position() == Position()
    assert read_all(segments) == ["a"]


@pytest.mark.timeout(60)
def test_nothing_that_was_appended_is_lost_with_a_writer_that_is_killed(tmp_path: Path) -> None:
    known = 0
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        for _line in range(60):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
        process.wait(timeout=10)
        process.stdout.close()
        acknowledged = 60 + rest.count(b"\n")
        lines = read_all(segments_in(tmp_path))
        known += 1

        numbers = [int(line.split()[0]) for line in lines]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= acknowledged
        assert all(len(line.split()[1]) == 100 for line in lines)
    assert known == 3
