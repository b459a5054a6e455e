"""One file of a bot's workspace."""

import os
from pathlib import Path

import pytest

from buddy_common.errors import BotFileError, UnknownBotError, UnknownBotFileError
from buddy_worker.reads.bot_file import read_bot_file


def test_file_is_read_with_what_belongs_to_it(tmp_path: Path) -> None:
    (tmp_path / "SOUL.md").write_text("# 灵魂\n")
    os.utime(tmp_path / "SOUL.md", (1_795_000_000, 1_795_000_000))

    found = read_bot_file([{"id": "main", "workspace": str(tmp_path)}], bot="main", name="SOUL.md")

    assert found == {
        "name": "SOUL.md",
        "content": "# 灵魂\n",
        "size": 9,
        "updatedAt": "2026-11-18T11:06:40+00:00",
    }


def test_workspace_may_be_told_from_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "USER.md").write_text("me")

    found = read_bot_file([{"id": "main", "workspace": "~/here"}], bot="main", name="USER.md")

    assert found["content"] == "me"


@pytest.mark.parametrize("bots", [[], [{"id": "main", "workspace": None}], [{"id": "x", "workspace": "/"}]])
def test_bot_without_a_known_workspace_is_unknown(bots: list[dict[str, str]]) -> None:
    with pytest.raises(UnknownBotError):
        read_bot_file(bots, bot="main", name="SOUL.md")


def test_file_that_is_not_there_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(UnknownBotFileError):
        read_bot_file([{"id": "main", "workspace": str(tmp_path)}], bot="main", name="SOUL.md")


def test_file_outside_of_the_workspace_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "workspace").mkdir()
    bots = [{"id": "main", "workspace": str(tmp_path / "workspace")}]

    with pytest.raises(BotFileError):
        read_bot_file(bots, bot="main", name="../secret")
