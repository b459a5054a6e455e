"""Reading the files of an agent's workspace, and nothing outside of it."""

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from buddy_common.adapters import agent_files
from buddy_common.adapters.agent_files import TYPES, AgentFile, read_agent_file
from buddy_common.errors import BotFileError, UnknownBotFileError
from buddy_common.schemas.bot_file_jobs import MAX_FILE_BYTES


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    (tmp_path / "secret.md").write_text("not for you")
    return folder


def open_handles() -> int:
    return len(list(Path("/dev/fd").iterdir()))


@pytest.fixture(autouse=True)
def no_handle_stays_open() -> Iterator[None]:
    before = open_handles()
    yield
    assert open_handles() <= before


def test_a_file_is_told_with_its_size_and_time(workspace: Path) -> None:
    (workspace / "SOUL.md").write_text("# 灵魂\n", encoding="utf-8")
    os.utime(workspace / "SOUL.md", (0, 1_795_350_692))

    assert read_agent_file(workspace, "SOUL.md") == AgentFile(
        name="SOUL.md",
        content="# 灵魂\n",
        size=9,
        updated_at=datetime.fromtimestamp(1_795_350_692, UTC),
    )


@pytest.mark.parametrize("name", TYPES.values())
def test_each_known_file_can_be_read(workspace: Path, name: str) -> None:
    (workspace / name).write_text(name)

    assert read_agent_file(workspace, name).content == name


def test_an_empty_file_is_a_file(workspace: Path) -> None:
    (workspace / "USER.md").touch()

    assert read_agent_file(workspace, "USER.md").content == ""


def test_a_file_in_a_folder_of_the_workspace_can_be_read(workspace: Path) -> None:
    (workspace / "memory").mkdir()
    (workspace / "memory" / "2026-09-01.md").write_text("a day")

    assert read_agent_file(workspace, "memory/2026-09-01.md").content == "a day"
    assert read_agent_file(workspace, "memory/../memory/2026-09-01.md").content == "a day"


@pytest.mark.parametrize("name", ["SOUL.md", "memory/2026-09-01.md"])
def test_a_file_that_is_not_there_is_unknown(workspace: Path, name: str) -> None:
    with pytest.raises(UnknownBotFileError, match=name):
        read_agent_file(workspace, name)


def test_without_a_workspace_every_file_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(UnknownBotFileError):
        read_agent_file(tmp_path / "missing", "SOUL.md")


@pytest.mark.parametrize(
    "name", ["../secret.md", "memory/../../secret.md", "..", ".", "", "/etc/hostname", "//"]
)
def test_what_lies_outside_is_refused(workspace: Path, name: str) -> None:
    with pytest.raises(BotFileError, match="outside"):
        read_agent_file(workspace, name)


def test_an_absolute_path_outside_is_refused_whether_it_is_there_or_not(workspace: Path) -> None:
    for name in (workspace.parent / "secret.md", workspace.parent / "missing.md"):
        with pytest.raises(BotFileError, match="outside"):
            read_agent_file(workspace, str(name))


def test_a_folder_beside_it_that_begins_with_its_name_is_outside(workspace: Path) -> None:
    (workspace.parent / "workspace-2").mkdir()
    (workspace.parent / "workspace-2" / "SOUL.md").write_text("another bot's")

    with pytest.raises(BotFileError, match="outside"):
        read_agent_file(workspace, "../workspace-2/SOUL.md")


@pytest.mark.parametrize("target", ["../secret.md", "../missing.md", "/etc/hostname"])
def test_a_link_that_leads_outside_is_refused(workspace: Path, target: str) -> None:
    (workspace / "SOUL.md").symlink_to(target)

    with pytest.raises(BotFileError, match="outside"):
        read_agent_file(workspace, "SOUL.md")


def test_a_linked_folder_that_leads_outside_is_refused(workspace: Path) -> None:
    (workspace / "memory").symlink_to(workspace.parent)

    with pytest.raises(BotFileError, match="outside"):
        read_agent_file(workspace, "memory/secret.md")


def test_a_link_inside_is_followed(workspace: Path) -> None:
    (workspace / "real.md").write_text("inside")
    (workspace / "SOUL.md").symlink_to("real.md")

    assert read_agent_file(workspace, "SOUL.md").content == "inside"


def test_a_link_inside_that_leads_nowhere_is_unknown(workspace: Path) -> None:
    (workspace / "SOUL.md").symlink_to("missing.md")

    with pytest.raises(UnknownBotFileError):
        read_agent_file(workspace, "SOUL.md")


def test_a_workspace_that_is_a_link_itself_is_followed(workspace: Path) -> None:
    (workspace / "SOUL.md").write_text("inside")
    (workspace.parent / "link").symlink_to(workspace)

    assert read_agent_file(workspace.parent / "link", "SOUL.md").content == "inside"


def test_links_in_a_circle_are_refused(workspace: Path) -> None:
    (workspace / "SOUL.md").symlink_to("USER.md")
    (workspace / "USER.md").symlink_to("SOUL.md")

    with pytest.raises(BotFileError):
        read_agent_file(workspace, "SOUL.md")


def test_a_folder_that_became_a_link_after_the_check_is_refused(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if it were swapped between looking and opening."""
    (workspace / "memory").symlink_to(workspace.parent)
    monkeypatch.setattr(agent_files, "locate", lambda folder, name: folder / name)

    with pytest.raises(BotFileError, match="outside"):
        read_agent_file(workspace, "memory/secret.md")


def test_a_file_that_became_a_link_after_the_check_is_refused(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / "SOUL.md").symlink_to(workspace.parent / "secret.md")
    monkeypatch.setattr(agent_files, "locate", lambda folder, name: folder / name)

    with pytest.raises(BotFileError, match="cannot be read"):
        read_agent_file(workspace, "SOUL.md")


def test_a_fifo_is_refused_at_once(workspace: Path) -> None:
    os.mkfifo(workspace / "SOUL.md")

    with pytest.raises(BotFileError, match="no plain file"):
        read_agent_file(workspace, "SOUL.md")


def test_a_folder_is_refused(workspace: Path) -> None:
    (workspace / "SOUL.md").mkdir()

    with pytest.raises(BotFileError, match="no plain file"):
        read_agent_file(workspace, "SOUL.md")


def test_a_socket_is_refused(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)  # its path may have 108 bytes only
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("SOUL.md")

    with pytest.raises(BotFileError, match="cannot be read"):
        read_agent_file(workspace, "SOUL.md")


def test_a_file_below_a_file_is_refused(workspace: Path) -> None:
    (workspace / "SOUL.md").touch()

    with pytest.raises(BotFileError, match="cannot be read: Not a directory"):
        read_agent_file(workspace, "SOUL.md/x")


def test_the_largest_file_is_read_and_a_larger_one_refused(workspace: Path) -> None:
    (workspace / "SOUL.md").write_bytes(b"x" * MAX_FILE_BYTES)
    (workspace / "USER.md").write_bytes(b"x" * (MAX_FILE_BYTES + 1))

    assert read_agent_file(workspace, "SOUL.md").size == MAX_FILE_BYTES
    with pytest.raises(BotFileError, match=f"larger than {MAX_FILE_BYTES}"):
        read_agent_file(workspace, "USER.md")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"caf\xe9", b"\xe7\x81"])
def test_what_is_no_utf8_is_refused(workspace: Path, content: bytes) -> None:
    (workspace / "SOUL.md").write_bytes(content)

    with pytest.raises(BotFileError, match="no UTF-8"):
        read_agent_file(workspace, "SOUL.md")


@pytest.mark.parametrize("name", ["SOUL.md\0", "\0", "../\0/x", "\ud800.md"])
def test_a_name_that_no_file_can_have_is_refused(workspace: Path, name: str) -> None:
    with pytest.raises(BotFileError, match="names no file"):
        read_agent_file(workspace, name)


def test_a_name_that_is_too_long_is_refused(workspace: Path) -> None:
    with pytest.raises(BotFileError, match="cannot be read"):
        read_agent_file(workspace, "x" * 300)
