"""What is kept of a deleted bot, and how it comes back."""

import errno
import json
import os
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters import bot_archive
from buddy_common.adapters.bot_archive import Archived, BotArchive
from buddy_common.adapters.moved_folder import move_folder
from buddy_common.errors import StateUnwritableError, UnknownArchiveError, WorkspaceInUseError
from fakes.disks import be_on_another_disk, fill_up

ENTRY = {"name": "核心Bot", "model": "x/y"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "node" / "deleted-bots"


@pytest.fixture
def archive(folder: Path) -> BotArchive:
    return BotArchive(folder)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    made = tmp_path / "state" / "workspace-bot_1"
    made.mkdir(parents=True)
    (made / "SOUL.md").write_text("soul")
    return made


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    made = tmp_path / "state" / "agents" / "bot_1"
    made.mkdir(parents=True)
    (made / "sessions.json").write_text("{}")
    return made


@pytest.fixture
def kept(archive: BotArchive, workspace: Path, sessions: Path) -> Archived:
    """A bot whose folders are in the archive."""
    archived = archive.begin("bot_1", entry=ENTRY, folders={"workspace": workspace, "agent": sessions})
    archive.take_in(archived)
    return archived


def test_a_bot_is_written_down_before_its_folders_move(archive: BotArchive, workspace: Path) -> None:
    archived = archive.begin("bot_1", entry=ENTRY, folders={"workspace": workspace, "agent": None})

    assert re.fullmatch(r"bot_1@\d{8}-\d{6}", archived.name)
    assert archived.folders == {"workspace": str(workspace)}
    assert (workspace / "SOUL.md").exists()
    assert archive.find("bot_1", archived.name) == archived


def test_folders_that_are_not_there_are_not_kept(archive: BotArchive, tmp_path: Path) -> None:
    archived = archive.begin("bot_1", entry=ENTRY, folders={"workspace": tmp_path / "gone"})

    archive.take_in(archived)

    assert archived.folders == {}


def test_the_folders_move_in_and_back(
    archive: BotArchive, kept: Archived, workspace: Path, sessions: Path
) -> None:
    assert not workspace.exists()
    assert not sessions.exists()

    archive.give_back(kept)

    assert (workspace / "SOUL.md").read_text() == "soul"
    assert (sessions / "sessions.json").read_text() == "{}"


def test_an_empty_folder_gives_way_and_a_full_one_does_not(
    archive: BotArchive, kept: Archived, workspace: Path, sessions: Path
) -> None:
    workspace.mkdir()
    sessions.mkdir()
    (sessions / "mine").write_text("mine")

    with pytest.raises(WorkspaceInUseError, match=re.escape(str(sessions))):
        archive.give_back(kept)
    assert list(workspace.iterdir()) == []
    (sessions / "mine").unlink()

    archive.give_back(kept)

    assert (workspace / "SOUL.md").exists()


def test_a_folder_that_never_moved_in_stands_in_nobodys_way(
    archive: BotArchive, workspace: Path, sessions: Path
) -> None:
    archived = archive.begin("bot_1", entry=ENTRY, folders={"workspace": workspace})
    both = archive.begin("bot_1", entry=ENTRY, folders={"workspace": workspace, "agent": sessions})
    archive.give_back(archived)
    archive.take_in(archive.held(archived))
    assert archive.held(archived).folders == {}
    archive.take_in(Archived(both.name, both.bot, both.entry, {"agent": str(sessions)}))
    assert archive.held(both).folders == {"agent": str(sessions)}

    archive.give_back(both)

    assert (workspace / "SOUL.md").exists()
    assert (sessions / "sessions.json").exists()


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_no_folder_of_its_own_does_not_give_way(
    kind: str, archive: BotArchive, kept: Archived, workspace: Path, tmp_path: Path
) -> None:
    if kind == "file":
        workspace.write_text("mine")
    else:
        (tmp_path / "elsewhere").mkdir()
        workspace.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(WorkspaceInUseError):
        archive.give_back(kept)

    assert (workspace.read_text() == "mine") if kind == "file" else workspace.is_symlink()


def test_the_newest_comes_first_and_is_what_is_meant_without_a_name(
    archive: BotArchive, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for moment in ("20260101-000000", "20270101-000000", "20260601-000000"):
        monkeypatch.setattr(time, "strftime", lambda *_, at=moment: at)
        archive.begin("bot_1", entry={"at": moment}, folders={})
    monkeypatch.setattr(time, "strftime", lambda *_: "20280101-000000")
    archive.begin("other", entry={}, folders={})

    assert archive.find("bot_1", None).entry == {"at": "20270101-000000"}
    assert [kept.name for kept in archive.listing()] == [
        "other@20280101-000000", "bot_1@20270101-000000", "bot_1@20260601-000000", "bot_1@20260101-000000",
    ]  # fmt: skip


def test_of_eleven_in_one_second_the_last_is_the_newest(
    archive: BotArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "strftime", lambda *_: "20260101-000000")

    names = [archive.begin("bot_1", entry={}, folders={}).name for _ in range(11)]

    assert len(set(names)) == 11
    assert [kept.name for kept in archive.listing()] == names[::-1]


@pytest.mark.parametrize("name", ["other@20260101-000000", "../x", "bot_1", ""])
def test_a_name_that_is_not_kept_of_this_bot_is_unknown(
    name: str, archive: BotArchive, kept: Archived, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "strftime", lambda *_: "20260101-000000")
    archive.begin("other", entry={}, folders={})

    with pytest.raises(UnknownArchiveError) as caught:
        archive.find("bot_1", name)
    assert caught.value.detail["known"] == [known.name for known in archive.listing()]
    assert kept.name in caught.value.detail["known"]


def test_there_is_nothing_before_the_first(archive: BotArchive) -> None:
    assert archive.listing() == []
    with pytest.raises(UnknownArchiveError):
        archive.find("bot_1", None)


@pytest.mark.parametrize("record", ["", "{", "[]", "{}", '{"bot": 5}', None])
def test_a_damaged_record_is_left_out(
    record: str | None, archive: BotArchive, kept: Archived, folder: Path
) -> None:
    damaged = folder / "bot_1@20990101-000000"
    damaged.mkdir()
    if record is not None:
        (damaged / "bot.json").write_text(record)

    assert archive.listing() == [kept]


def test_what_is_dropped_is_forgotten(archive: BotArchive, kept: Archived, folder: Path) -> None:
    archive.give_back(kept)
    archive.drop(kept.name)

    assert archive.listing() == []
    assert list(folder.iterdir()) == []
    archive.drop(kept.name)


def test_a_record_is_private(kept: Archived, folder: Path) -> None:
    record = folder / kept.name / "bot.json"

    assert record.stat().st_mode & 0o777 == 0o600
    assert json.loads(record.read_bytes())["entry"] == ENTRY


def test_a_full_disk_is_told_before_anything_is_moved(
    archive: BotArchive, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StateUnwritableError, match="No space left"):
        archive.begin("bot_1", entry=ENTRY, folders={"workspace": workspace})

    assert (workspace / "SOUL.md").exists()


def test_sessions_that_cannot_be_kept_are_told(
    archive: BotArchive, sessions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    archived = archive.begin("bot_1", entry=ENTRY, folders={"agent": sessions})
    archive.keep_sessions(archived)  # there is no database
    (sessions / "agent").mkdir()
    (sessions / "agent" / "openclaw-agent.sqlite").write_bytes(b"")
    monkeypatch.setattr(bot_archive, "copy_database", full)

    with pytest.raises(StateUnwritableError, match="No space left"):
        archive.keep_sessions(archived)


def emptied(archive: BotArchive, sessions: Path) -> tuple[Archived, Path]:
    """Keep the sessions of a bot, and empty their database as OpenClaw does; return both."""
    database = sessions / "agent" / "openclaw-agent.sqlite"
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as before, before:
        before.execute("CREATE TABLE said (text)")
    archived = archive.begin("bot_1", entry=ENTRY, folders={"agent": sessions})
    archive.keep_sessions(archived)
    with closing(sqlite3.connect(database)) as purged, purged:
        purged.execute("DROP TABLE said")
    return archived, database


def test_sessions_that_were_kept_take_the_place_of_what_is_left_of_them(
    archive: BotArchive, sessions: Path
) -> None:
    archived, database = emptied(archive, sessions)

    archive.take_in(archived)
    archive.give_back(archived)

    with closing(sqlite3.connect(database)) as now:
        assert now.execute("SELECT name FROM sqlite_master").fetchall() == [("said",)]
    assert sorted(path.name for path in database.parent.iterdir()) == [database.name]


def test_sessions_that_were_kept_come_back_also_where_their_folder_has_never_moved_in(
    archive: BotArchive, sessions: Path
) -> None:
    archived, database = emptied(archive, sessions)

    archive.give_back(archive.held(archived))
    archive.give_sessions_back(archived)

    with closing(sqlite3.connect(database)) as now:
        assert now.execute("SELECT name FROM sqlite_master").fetchall() == [("said",)]
    assert sorted(path.name for path in database.parent.iterdir()) == [database.name]


@pytest.mark.parametrize("at", [0, 1])
def test_a_move_that_fails_leaves_every_folder_in_one_place(
    at: int, archive: BotArchive, workspace: Path, sessions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archived = archive.begin("bot_1", entry=ENTRY, folders={"workspace": workspace, "agent": sessions})
    moved: list[Path] = []

    def move_some(source: Path, target: Path, *, parent: int) -> None:
        moved.append(source)
        if len(moved) == at + 1:
            raise OSError(errno.EACCES, "Permission denied")
        move_folder(source, target, parent=parent)

    monkeypatch.setattr(bot_archive, "move_folder", move_some)
    with pytest.raises(StateUnwritableError, match="Permission denied"):
        archive.take_in(archived)

    archive.take_in(archived)

    assert not workspace.exists()
    assert not sessions.exists()
    archive.give_back(archived)
    assert (workspace / "SOUL.md").exists()
    assert (sessions / "sessions.json").exists()


def test_an_archive_on_another_disk_that_fills_up_holds_no_torn_copy(
    archive: BotArchive, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept in part would take the place of what is whole."""
    (workspace / "memory.md").write_text("all that it knows")
    archived = archive.begin("bot_1", entry=ENTRY, folders={"workspace": workspace})
    be_on_another_disk(monkeypatch)
    with monkeypatch.context() as full:
        fill_up(full, after_files=1)
        with pytest.raises(StateUnwritableError, match="No space left"):
            archive.take_in(archived)

    assert archive.held(archived).folders == {}
    assert (workspace / "memory.md").read_text() == "all that it knows"
    archive.take_in(archived)  # with room again
    archive.give_back(archived)
    assert sorted(path.name for path in workspace.iterdir()) == ["SOUL.md", "memory.md"]
