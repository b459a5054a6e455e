"""Copies of databases that another program has open."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters import database_copy
from buddy_common.adapters.database_copy import copy_database, put_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    """One whose rows are still in the write-ahead log of who has it open."""
    path = tmp_path / "there" / "sessions.sqlite"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE said (text)")
        writer.execute("INSERT INTO said VALUES ('hello')")
        writer.commit()
        path.chmod(0o640)
        yield path


def rows(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as reading:
        return reading.execute("SELECT text FROM said").fetchall()


def test_a_copy_has_what_is_in_the_log_only_and_takes_the_place(database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite"

    copy_database(database, copy)

    assert copy.stat().st_mode & 0o777 == 0o640
    place = tmp_path / "there" / "other.sqlite"
    for suffix in ("", "-wal", "-shm"):
        place.with_name(place.name + suffix).write_text("of another time")
    put_database(copy, place)
    assert rows(place) == [("hello",)]
    assert not copy.exists()


def test_what_is_no_database_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("x" * 5000)

    copy_database(tmp_path / "broken", tmp_path / "copy")

    assert [path.name for path in tmp_path.iterdir()] == ["broken"]


def test_what_cannot_be_copied_at_this_moment_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "sessions.sqlite"
    monkeypatch.setattr(database_copy, "_BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("CREATE TABLE said (text)")
        writer.execute("BEGIN EXCLUSIVE")

        with pytest.raises(OSError, match="busy"):
            copy_database(database, tmp_path / "copy")

    assert not (tmp_path / "copy").exists()


def test_a_full_disk_leaves_no_copy(database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect

    def connect_small(place: Any, **options: Any) -> sqlite3.Connection:
        made: sqlite3.Connection = connect(place, **options)
        if not options:  # the copy
            made.execute("PRAGMA page_size = 512")
            made.execute("PRAGMA max_page_count = 1")
        return made

    monkeypatch.setattr(sqlite3, "connect", connect_small)

    with pytest.raises(OSError, match="No space left"):
        copy_database(database, tmp_path / "copy")

    assert not (tmp_path / "copy").exists()
