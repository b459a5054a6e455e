"""Whoever asks the reader gets an answer."""

import asyncio
from pathlib import Path

import pytest

from buddy_common.schemas.backups import BackupQuestion, BackupReason
from buddy_common.schemas.resources import Resource
from fakes.gateway import FakeGateway, Refusal
from worker.reads.mirror.node import SECONDS, Node


async def test_what_cannot_be_read_again_is_stale_and_the_asker_learns_of_it(
    node: Node, gateway: FakeGateway
) -> None:
    node.start()
    await node.until_fresh()
    gateway.methods["plugins.list"] = Refusal("UNAVAILABLE", "not now")

    answer = await node.requests.ask("local", resources=["plugins", "models-config"], seconds=SECONDS)

    assert answer is not None
    assert answer.data["failed"] == ["plugins"]
    assert "not now" in answer.data["reasons"]["plugins"]
    assert (await node.until(Resource.PLUGINS, lambda head: head.doubtful)).stale


async def test_who_asks_for_capabilities_gets_new_ones(node: Node) -> None:
    node.start()
    await node.until_fresh()
    before = await node.until(Resource.CAPABILITIES, lambda _: True)

    await node.requests.ask("local", resources=["capabilities"], seconds=SECONDS)

    assert (await node.until(Resource.CAPABILITIES, lambda _: True)).updated_at > before.updated_at


async def test_who_only_tells_costs_no_more_than_one_reading(node: Node, gateway: FakeGateway) -> None:
    node.start()
    await node.until_fresh()
    while not gateway.calls.empty():
        gateway.calls.get_nowait()

    for _ in range(20):
        await node.requests.tell("local", ["skills"])
    before = await node.until(Resource.SKILLS, lambda _: True)
    await node.until(Resource.SKILLS, lambda head: head.updated_at > before.updated_at)

    calls = [gateway.calls.get_nowait()[0] for _ in range(gateway.calls.qsize())]
    assert calls.count("skills.status") <= 2


@pytest.mark.parametrize("bot", ["main", "ghost"])
async def test_a_file_is_read_for_whoever_asks(
    node: Node, bot: str, tmp_path: Path, gateway: FakeGateway
) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "SOUL.md").write_text("我是谁")
    for agent in gateway.methods["agents.list"]["agents"]:
        agent["workspace"] = str(workspace)
    node.start()
    await node.until_fresh()

    answer = await node.requests.ask("local", bot=bot, file="SOUL.md", seconds=SECONDS)

    assert answer is not None
    if bot == "main":
        assert answer.data["content"] == "我是谁"
    else:
        assert answer.error == "unknown_bot"


async def test_backups_are_told_to_whoever_asks(node: Node) -> None:
    made = await asyncio.to_thread(node.w.host.history.add, b"{}", {}, reason=BackupReason.MANUAL)
    node.start()

    listed = await node.requests.ask("local", backups=BackupQuestion(), seconds=SECONDS)
    unknown = await node.requests.ask(
        "local", backups=BackupQuestion(name=made.name, against="x"), seconds=SECONDS
    )

    assert listed is not None
    assert [row["name"] for row in listed.data["backups"]] == [made.name]
    assert listed.data["current"]["size"] > 0
    assert unknown is not None
    assert (unknown.error, unknown.data) == ("unknown_backup", {"backup": "x"})
