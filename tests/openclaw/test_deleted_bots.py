"""Bots that OpenClaw 2026.9 has deleted, which it remembers: they come back, and people can talk to them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openclaw_changes import Changer, borrowed
from openclaw_system import System
from rich_system import Rich

pytestmark = pytest.mark.openclaw

USERS = ("alice", "bob")


@pytest.fixture
def changer(system: System) -> Iterator[Changer]:
    """The file is as it was after the test, and the gateway runs on it."""
    yield from borrowed(system)


@pytest.fixture
def rich(system: System) -> Rich:
    return Rich(system)


def sessions(rich: Rich, bot: str) -> dict[str, Any]:
    """Return the sessions that the gateway lists, and what was said in each."""
    listed = rich.ask("sessions.list", agentId=bot)["sessions"]
    return {
        row["key"]: [said["role"] for said in rich.ask("chat.history", sessionKey=row["key"])["messages"]]
        for row in listed
    }


def add_and_chat(changer: Changer, rich: Rich, bot: str) -> Path:
    """Add a bot with looks of its own that has been talked to; return its workspace."""
    changer.completed("bots/add", id=bot, name="一号", emoji="🤖", model="stand-in-1")
    for user in USERS:
        rich.chat(bot, user)
    return Path(changer.bot(bot)["workspace"])


def test_a_bot_that_was_deleted_comes_back_with_its_workspace_and_its_sessions(
    changer: Changer, rich: Rich
) -> None:
    workspace = add_and_chat(changer, rich, "back")
    pid, entry, said = changer.system.ensure_running(), changer.entries()["back"], sessions(rich, "back")
    identity = (workspace / "IDENTITY.md").read_text()
    assert len(said) == len(USERS)

    gone = changer.completed("bots/delete", id="back")
    assert not workspace.exists()
    back = changer.completed("bots/restore", id="back")

    assert back == gone
    assert changer.entries()["back"] == entry
    assert (workspace / "IDENTITY.md").read_text() == identity
    assert sessions(rich, "back") == said
    rich.chat("back", USERS[0])
    assert sorted(map(len, sessions(rich, "back").values())) == [2, 4]
    assert changer.system.ensure_running() == pid, "no change needs a new process"


def test_a_bot_is_added_under_an_id_that_openclaw_itself_has_deleted(changer: Changer, rich: Rich) -> None:
    workspace = add_and_chat(changer, rich, "again")
    pid = changer.system.ensure_running()
    rich.ask("agents.delete", agentId="again", deleteFiles=True)
    assert "again" not in changer.entries()

    task, _ = changer.make("bots/template", expertId="architect", newBotId="again")

    assert (task["status"], task["result"]["left"]) == ("Completed", None), task
    assert "软件架构师" in (workspace / "IDENTITY.md").read_text()
    rich.chat("again", USERS[0])
    assert len(sessions(rich, "again")) == 1
    assert changer.system.ensure_running() == pid, "no change needs a new process"


@pytest.mark.faults
def test_a_bot_that_was_deleted_comes_back_while_no_gateway_runs(changer: Changer, rich: Rich) -> None:
    add_and_chat(changer, rich, "later")
    entry, said = changer.entries()["later"], sessions(rich, "later")
    changer.completed("bots/delete", id="later")
    changer.system.ensure_stopped()

    task, _ = changer.make("bots/restore", id="later")

    assert (task["status"], task["result"]["left"]) == ("Completed", None), task
    assert changer.entries()["later"] == entry
    changer.system.ensure_running()
    assert sessions(rich, "later") == said
    rich.chat("later", USERS[0])
