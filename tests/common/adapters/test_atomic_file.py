"""Files that are replaced whole."""

import errno
import os
from pathlib import Path

import pytest

from buddy_common.adapters.atomic_file import discarding, replace_file, stage_file
from common.racing import race


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "desired.json"


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)


def test_content_is_written_and_its_folder_made(file: Path) -> None:
    replace_file(file, b"one")

    assert file.read_bytes() == b"one"
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("content", [b"", b"two", b"x" * 1_000_000])
def test_old_content_is_replaced_whole(file: Path, content: bytes) -> None:
    replace_file(file, b"one, which was longer")

    replace_file(file, content)

    assert file.read_bytes() == content
    assert list(file.parent.iterdir()) == [file]


def test_file_is_private_unless_told_otherwise(file: Path) -> None:
    before = os.umask(0o077)
    try:
        replace_file(file, b"one")
        assert file.stat().st_mode & 0o777 == 0o600
        replace_file(file, b"two", mode=0o644)
        assert file.stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)


@pytest.mark.usefixtures("full_disk")
def test_full_disk_leaves_the_old_content_and_no_rest(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"old")

    with pytest.raises(OSError, match="No space left"):
        replace_file(file, b"new")

    assert file.read_bytes() == b"old"
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.usefixtures("full_disk")
def test_full_disk_leaves_no_new_file(file: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        replace_file(file, b"new")

    assert list(file.parent.iterdir()) == []


def test_target_that_cannot_be_replaced_leaves_no_rest(file: Path) -> None:
    file.mkdir(parents=True)
    (file / "inside").touch()

    with pytest.raises(OSError, match="desired"):
        replace_file(file, b"new")

    assert list(file.parent.iterdir()) == [file]


def test_what_is_staged_takes_its_place_only_when_it_is_committed(file: Path) -> None:
    replace_file(file, b"old")

    staged = stage_file(file, b"new")
    assert file.read_bytes() == b"old"
    staged.commit()

    assert file.read_bytes() == b"new"
    assert list(file.parent.iterdir()) == [file]


def test_of_a_failure_no_staged_file_is_left_and_what_is_committed_stays(file: Path) -> None:
    staged = [stage_file(file, b"1"), stage_file(file.with_name("other.json"), b"2")]
    staged[0].commit()

    with pytest.raises(KeyboardInterrupt), discarding(staged):
        raise KeyboardInterrupt

    assert list(file.parent.iterdir()) == [file]


def test_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"a file")

    with pytest.raises(OSError, match="state"):
        replace_file(tmp_path / "state" / "desired.json", b"new")

    assert (tmp_path / "state").read_bytes() == b"a file"


def test_reader_never_sees_a_part(file: Path) -> None:
    contents = [bytes([65 + number]) * 300_000 for number in range(4)]
    replace_file(file, contents[0])
    turns = iter([*contents, *[None] * 4])

    def write_or_read() -> bytes | None:
        content = next(turns)
        if content is None:
            return file.read_bytes()
        replace_file(file, content)
        return None

    seen = [content for content in race(8, write_or_read) if content is not None]

    assert len(seen) == 4
    assert set(seen) <= set(contents)
    assert file.read_bytes() in contents
    assert list(file.parent.iterdir()) == [file]
