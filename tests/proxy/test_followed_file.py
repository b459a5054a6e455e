"""Log files that rotate, shrink, appear late and hold lines without end."""

from pathlib import Path

import pytest

from buddy_proxy import followed_file
from buddy_proxy.followed_file import MAX_LINE_BYTES, FollowedFile, last_lines


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.log"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_lines_come_when_they_are_complete(path: Path) -> None:
    path.write_bytes(b"one\ntw")
    followed = FollowedFile(path)

    assert followed.read() == [b"one"]
    assert followed.read() == []
    append(path, b"o\r\n\nthree\n")
    assert followed.read() == [b"two", b"three"]
    followed.close()


def test_a_file_that_is_not_there_is_read_from_its_beginning_when_it_comes(path: Path) -> None:
    followed = FollowedFile(path)
    assert followed.begin(count=10, max_bytes=1000) == []
    assert followed.read() == []

    path.write_bytes(b"first\n")

    assert followed.read() == [b"first"]
    followed.close()


def test_after_a_rotation_both_files_are_read_to_their_ends(path: Path) -> None:
    path.write_bytes(b"one\n")
    followed = FollowedFile(path)
    followed.read()

    append(path, b"two\nhalf a line")
    path.rename(path.with_suffix(".1"))
    assert followed.read() == [b"two"]  # nobody has made the new one yet
    append(path.with_suffix(".1"), b", and its end\n")
    path.write_bytes(b"three\n")

    assert followed.read() == [b"half a line, and its end", b"three"]
    followed.close()


def test_a_file_that_was_emptied_is_read_from_its_beginning(path: Path) -> None:
    path.write_bytes(b"a long first line\nhalf")
    followed = FollowedFile(path)
    followed.read()

    with path.open("r+b") as file:
        file.truncate()
        file.write(b"new\n")

    assert followed.read() == [b"half", b"new"]
    followed.close()


def test_a_line_of_a_megabyte_comes_whole(path: Path) -> None:
    path.write_bytes(b"x" * 1_000_000 + b"\nnext\n")
    followed = FollowedFile(path)

    assert [len(line) for line in followed.read()] == [1_000_000, 4]
    followed.close()


def test_of_a_line_that_is_longer_the_beginning_comes_with_what_is_missing(path: Path) -> None:
    path.write_bytes(b"x" * (MAX_LINE_BYTES + 5) + b"\nnext\n")
    followed = FollowedFile(path)

    long, after = followed.read()

    assert long == b"x" * MAX_LINE_BYTES + "… (5 bytes more)".encode()
    assert after == b"next"
    followed.close()


def test_a_backlog_is_read_in_parts_and_nothing_of_it_is_lost(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed_file, "READ_BYTES", 10)
    monkeypatch.setattr(followed_file, "MAX_READ_BYTES", 50)
    lines = [f"line {number}".encode() for number in range(30)]
    path.write_bytes(b"\n".join(lines) + b"\n")
    followed = FollowedFile(path)

    first = followed.read()
    rest = [line for _ in range(10) for line in followed.read()]

    assert 0 < len(first) < 10
    assert first + rest == lines
    followed.close()


def test_a_rotation_in_the_middle_of_a_backlog_loses_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed_file, "READ_BYTES", 10)
    monkeypatch.setattr(followed_file, "MAX_READ_BYTES", 50)
    lines = [f"line {number}".encode() for number in range(30)]
    path.write_bytes(b"\n".join(lines) + b"\n")
    followed = FollowedFile(path)
    first = followed.read()

    path.rename(path.with_suffix(".1"))
    path.write_bytes(b"new\n")

    assert first + [line for _ in range(10) for line in followed.read()] == [*lines, b"new"]
    followed.close()


def test_it_begins_with_the_last_lines_and_goes_on_after_them(path: Path) -> None:
    path.write_bytes(b"one\ntwo\nthree\nhalf")
    followed = FollowedFile(path)

    assert followed.begin(count=2, max_bytes=1000) == [b"two", b"three"]
    append(path, b" no more\n")
    assert followed.read() == [b"half no more"]
    followed.close()


@pytest.mark.parametrize(
    ("count", "max_bytes", "found"),
    [
        (10, 1000, [b"one", b"two", b"three"]),
        (0, 1000, []),
        (10, 11, [b"three"]),  # what the part begins with may not be whole
        (10, 10, [b"three"]),
        (10, 3, []),
    ],
)
def test_the_last_lines_are_whole_and_as_many_as_fit(
    count: int, max_bytes: int, found: list[bytes], path: Path
) -> None:
    path.write_bytes(b"one\ntwo\nthree\n")

    assert last_lines(path, count=count, max_bytes=max_bytes) == found


def test_of_a_file_without_a_line_end_nothing_is_complete(path: Path) -> None:
    path.write_bytes(b"no end")

    assert last_lines(path, count=10, max_bytes=1000) == []
    assert last_lines(path.with_suffix(".gone"), count=10, max_bytes=1000) == []
