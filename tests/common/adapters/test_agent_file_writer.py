"""Writing the files of an agent's workspace, and nothing outside of it."""

import errno
import fcntl
import itertools
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters import agent_file_writer
from buddy_common.adapters.agent_file_writer import WrittenFile, write_agent_file
from buddy_common.adapters.agent_files import file_tag, read_agent_file
from buddy_common.errors import BotFileError, FileChangedError, StateUnwritableError

OLD, NEW = "# 旧\n".encode(), "# 新\n".encode()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    (tmp_path / "secret.md").write_bytes(OLD)
    (folder / "SOUL.md").write_bytes(OLD)
    return folder


@pytest.fixture(autouse=True)
def no_handle_and_no_temporary_file_is_left(tmp_path: Path) -> Iterator[None]:
    before = open_handles()
    yield
    assert open_handles() <= before
    assert list(tmp_path.rglob(".buddy-*")) == []
    secret = tmp_path / "secret.md"
    assert not secret.exists() or secret.read_bytes() == OLD


def open_handles() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def write(workspace: Path, name: str = "SOUL.md", *, if_match: tuple[str, ...] | None = None) -> WrittenFile:
    return write_agent_file(workspace, name, NEW, if_match=if_match)


def test_a_file_is_replaced_and_told_as_it_was_read_back(workspace: Path) -> None:
    written = write(workspace)

    assert (workspace / "SOUL.md").read_bytes() == NEW
    assert (written.tag, written.size) == (file_tag(NEW), len(NEW))
    assert datetime.now(UTC) - written.updated_at < timedelta(minutes=1)
    assert read_agent_file(workspace, "SOUL.md").content.encode() == NEW


@pytest.mark.parametrize("name", ["USER.md", "memory/2026-09-01.md", "a/b/c/d.md", "昨天.md"])
def test_a_new_file_is_made_with_its_folders(workspace: Path, name: str) -> None:
    write(workspace, name)

    assert (workspace / name).read_bytes() == NEW
    assert stat.S_IMODE((workspace / name).stat().st_mode) == 0o644


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_mode_of_a_file_stays(workspace: Path, mode: int) -> None:
    (workspace / "SOUL.md").chmod(mode)

    write(workspace)

    assert stat.S_IMODE((workspace / "SOUL.md").stat().st_mode) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owner_of_a_file_stays_and_a_new_one_belongs_to_whom_its_folder_does(workspace: Path) -> None:
    for path in (workspace, workspace / "SOUL.md"):
        os.chown(path, 12345, 12346)

    write(workspace)
    write(workspace, "memory/new.md")

    for name in ("SOUL.md", "memory", "memory/new.md"):
        found = (workspace / name).stat()
        assert (found.st_uid, found.st_gid) == (12345, 12346)


def test_file_of_another_account_is_refused(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    other = os.stat_result((0o100644, 1, 1, 1, 4711, 4711, 0, 0, 0, 0))
    found = agent_file_writer._Found(other, file_tag(OLD), agent_file_writer.FileFacts(len(OLD), ""))
    monkeypatch.setattr(agent_file_writer, "_look", lambda *_: found)
    monkeypatch.setattr(os, "fchown", refuse)

    with pytest.raises(BotFileError, match="another account"):
        write(workspace)

    assert (workspace / "SOUL.md").read_bytes() == OLD


def test_read_only_file_is_refused(workspace: Path) -> None:
    (workspace / "SOUL.md").chmod(0o444)

    with pytest.raises(BotFileError, match="read-only"):
        write(workspace)

    assert (workspace / "SOUL.md").read_bytes() == OLD


@pytest.mark.parametrize("name", ["SOUL.md", "missing.md"])
@pytest.mark.parametrize("tags", [(file_tag(NEW),), (), ('"x"', file_tag(b""))])
def test_file_with_another_tag_is_not_written_over(workspace: Path, name: str, tags: tuple[str, ...]) -> None:
    with pytest.raises(FileChangedError) as failure:
        write(workspace, name, if_match=tags)

    assert failure.value.detail["etag"] == (file_tag(OLD) if name == "SOUL.md" else None)
    assert (workspace / "SOUL.md").read_bytes() == OLD
    assert not (workspace / "missing.md").exists()


@pytest.mark.parametrize("tags", [(file_tag(OLD),), ('"x"', file_tag(OLD)), ("*",)])
def test_file_with_the_tag_is_written(workspace: Path, tags: tuple[str, ...]) -> None:
    write(workspace, if_match=tags)

    assert (workspace / "SOUL.md").read_bytes() == NEW


def test_a_file_that_must_be_there_makes_no_folder(workspace: Path) -> None:
    with pytest.raises(FileChangedError):
        write(workspace, "memory/new.md", if_match=("*",))

    assert not (workspace / "memory").exists()


def test_an_edit_between_the_first_look_and_the_end_is_kept(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_beside = agent_file_writer._write_beside

    def edit_meanwhile(*arguments: Any) -> str:
        (workspace / "SOUL.md").write_bytes(b"the bot's own")
        return write_beside(*arguments)

    monkeypatch.setattr(agent_file_writer, "_write_beside", edit_meanwhile)

    with pytest.raises(FileChangedError):
        write(workspace, if_match=(file_tag(OLD),))

    assert (workspace / "SOUL.md").read_bytes() == b"the bot's own"


def test_what_is_read_back_otherwise_was_written_by_somebody_else(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overwrite(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            (workspace / "SOUL.md").write_bytes(b"the bot's own")

    monkeypatch.setattr(os, "fsync", overwrite)

    with pytest.raises(FileChangedError):
        write(workspace)


def test_of_many_writers_with_the_same_tag_one_succeeds(workspace: Path) -> None:
    start = threading.Barrier(8)
    outcomes: list[int | None] = []

    def run(number: int) -> None:
        start.wait(timeout=5)
        try:
            write_agent_file(workspace, "SOUL.md", b"%d" % number, if_match=(file_tag(OLD),))
            outcomes.append(number)
        except FileChangedError:
            outcomes.append(None)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=8)

    (winner,) = [number for number in outcomes if number is not None]
    assert len(outcomes) == 8
    assert (workspace / "SOUL.md").read_bytes() == b"%d" % winner


def test_a_folder_that_another_program_has_locked_is_given_up(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_file_writer, "LOCK_SECONDS", 0.05)
    handle = os.open(workspace, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)

    with pytest.raises(BotFileError, match="locked"):
        write(workspace)
    os.close(handle)

    assert write(workspace).tag == file_tag(NEW)


@pytest.mark.parametrize("name", ["../secret.md", "memory/../../secret.md", "..", ".", "", "/etc/hostname"])
def test_what_lies_outside_is_refused(workspace: Path, name: str) -> None:
    with pytest.raises(BotFileError, match="outside"):
        write(workspace, name)


@pytest.mark.parametrize("target", ["../secret.md", "../missing.md", "/etc/hostname"])
def test_a_link_that_leads_outside_is_refused(workspace: Path, target: str) -> None:
    (workspace / "USER.md").symlink_to(target)

    with pytest.raises(BotFileError, match="outside"):
        write(workspace, "USER.md")

    assert not (workspace.parent / "missing.md").exists()


def test_a_linked_folder_that_leads_outside_is_refused(workspace: Path) -> None:
    (workspace / "memory").symlink_to(workspace.parent)

    with pytest.raises(BotFileError, match="outside"):
        write(workspace, "memory/secret.md")


def test_a_link_inside_stays_and_its_target_is_written(workspace: Path) -> None:
    (workspace / "real.md").write_bytes(OLD)
    (workspace / "USER.md").symlink_to("real.md")

    write(workspace, "USER.md")

    assert (workspace / "USER.md").is_symlink()
    assert (workspace / "real.md").read_bytes() == NEW


def test_a_workspace_that_is_a_link_itself_is_followed(workspace: Path) -> None:
    (workspace.parent / "link").symlink_to(workspace)

    write(workspace.parent / "link")

    assert (workspace / "SOUL.md").read_bytes() == NEW


def test_a_folder_that_became_a_link_after_the_check_is_refused(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if it were swapped between looking and opening."""
    (workspace / "memory").symlink_to(workspace.parent)
    monkeypatch.setattr(agent_file_writer, "locate", lambda folder, name: folder / name)

    with pytest.raises(BotFileError):
        write(workspace, "memory/secret.md")


def test_a_file_that_became_a_link_after_the_check_is_refused(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / "USER.md").symlink_to(workspace.parent / "secret.md")
    monkeypatch.setattr(agent_file_writer, "locate", lambda folder, name: folder / name)

    with pytest.raises(BotFileError):
        write(workspace, "USER.md")


def test_a_file_that_becomes_a_link_at_the_last_moment_is_replaced_and_not_followed(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require = agent_file_writer._require

    def link_after_the_second_look(*arguments: Any) -> None:
        require(*arguments)
        if any(workspace.glob(".buddy-*")):
            (workspace / "SOUL.md").unlink()
            (workspace / "SOUL.md").symlink_to(workspace.parent / "secret.md")

    monkeypatch.setattr(agent_file_writer, "_require", link_after_the_second_look)

    write(workspace)

    assert not (workspace / "SOUL.md").is_symlink()
    assert (workspace / "SOUL.md").read_bytes() == NEW


def test_folders_swapped_for_links_all_the_time_never_let_a_write_out(workspace: Path) -> None:
    outside, memory = workspace.parent / "outside", workspace / "memory"
    outside.mkdir()
    memory.mkdir()
    stop = threading.Event()

    def swap() -> None:
        for number in itertools.count():
            with suppress(OSError):  # the writer has made a folder in the gap
                memory.rename(workspace / f"old-{number}")
            with suppress(OSError):
                memory.symlink_to(outside)
            with suppress(OSError):
                memory.unlink()
            with suppress(OSError):
                memory.mkdir()
            if stop.is_set():
                return

    swapper = threading.Thread(target=swap)
    swapper.start()
    written = 0
    for _ in range(300):
        try:
            write(workspace, "memory/x.md")
            written += 1
        except BotFileError:
            pass
    stop.set()
    swapper.join(timeout=5)

    assert list(outside.iterdir()) == []
    assert written > 0


def test_a_circle_of_links_is_refused(workspace: Path) -> None:
    (workspace / "USER.md").symlink_to("TOOLS.md")
    (workspace / "TOOLS.md").symlink_to("USER.md")

    with pytest.raises(BotFileError):
        write(workspace, "USER.md")


def test_without_a_workspace_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(BotFileError, match="no workspace yet"):
        write(tmp_path / "missing")

    assert not (tmp_path / "missing").exists()


def test_what_is_no_plain_file_is_refused(workspace: Path) -> None:
    (workspace / "folder.md").mkdir()
    os.mkfifo(workspace / "fifo.md")

    for name in ("folder.md", "fifo.md"):
        with pytest.raises(BotFileError, match="no plain file"):
            write(workspace, name)


@pytest.mark.parametrize("name", ["SOUL.md/x", "x" * 300, "a\0b", "\ud800.md"])
def test_a_name_that_no_file_can_have_is_refused(workspace: Path, name: str) -> None:
    with pytest.raises(BotFileError):
        write(workspace, name)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_full_disk_leaves_the_old_file(workspace: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def fail(_handle: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(StateUnwritableError, match=os.strerror(code)):
        write(workspace)

    assert (workspace / "SOUL.md").read_bytes() == OLD
    assert [path.name for path in workspace.iterdir()] == ["SOUL.md"]


def test_really_full_disk_leaves_the_old_file(workspace: Path) -> None:
    """A limit on the size of files ends a write in its middle, as a full disk does."""
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(StateUnwritableError):
            write_agent_file(workspace, "SOUL.md", b"x" * 100_000, if_match=None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)

    assert (workspace / "SOUL.md").read_bytes() == OLD
