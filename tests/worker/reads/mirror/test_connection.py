"""What is read, and what is told of it, when the gateway comes and goes."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from buddy_common.schemas.resources import MIRRORED, Resource
from buddy_common.schemas.wechat import PLUGIN
from buddy_worker.reads import mirror as module
from buddy_worker.reads.table import Read
from eventually import eventually
from fakes.gateway import NO_ANSWER, FakeGateway
from worker.reads.mirror.node import SECONDS, Node


async def test_a_reader_publishes_every_list_and_says_that_it_is_connected(node: Node) -> None:
    node.start()

    await node.until_fresh()

    assert [bot["id"] for bot in (await node.data(Resource.BOTS_MODELS))["bots"]] == [
        "main",
        "bot_1",
        "bot_2",
    ]
    assert len(await node.data(Resource.PLUGINS)) == 4
    assert (await node.data(Resource.CAPABILITIES))["connected"] is True
    sources = {resource: (await node.until(resource, lambda _: True)).source for resource in MIRRORED}
    assert sources[Resource.SKILLS] == "rpc"
    assert sources[Resource.CHAT] == "file"


async def test_a_gateway_that_goes_makes_the_lists_stale_and_one_that_comes_makes_them_fresh(
    node: Node, gateway: FakeGateway
) -> None:
    node.start()
    await node.until_fresh()

    await gateway.crash()
    await node.until(Resource.SKILLS, lambda head: head.stale)
    gateway.methods["skills.status"] = {"skills": [{"name": "new"}]}
    await gateway.start()
    await node.until_fresh()

    assert await node.data(Resource.SKILLS) == [{"name": "new"}]


async def test_nobody_is_connected_to_wechat_through_a_gateway_that_is_gone(
    node: Node, gateway: FakeGateway
) -> None:
    folder = node.w.host.gateway_settings.config_dir / PLUGIN
    await asyncio.to_thread(folder.mkdir, parents=True)
    await asyncio.to_thread((folder / "accounts.json").write_text, '["one-im-bot"]')
    running = {"accountId": "one-im-bot", "running": True}
    gateway.methods["channels.status"] = {"channelAccounts": {PLUGIN: [running]}}
    node.start()
    await node.until_fresh()

    async def how_it_does() -> list[tuple[str, bool]]:
        accounts = (await node.data(Resource.WECHAT))["accounts"]
        return [(account["state"], account["running"]) for account in accounts]

    assert await how_it_does() == [("connected", True)]
    await gateway.crash()
    await eventually(how_it_does, lambda found: found == [("unknown", False)], seconds=SECONDS)
    assert (await node.until(Resource.WECHAT, lambda _: True)).stale

    await gateway.start()
    await eventually(how_it_does, lambda found: found == [("connected", True)], seconds=SECONDS)


async def test_a_list_that_takes_minutes_is_stale_for_so_long_and_holds_up_no_other(
    node: Node, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_READ_SECONDS", 0.1)
    node.start()
    await node.until_fresh()

    await gateway.crash()
    await node.until(Resource.SKILLS, lambda head: head.stale)
    answer, gateway.methods["sessions.list"] = gateway.methods["sessions.list"], NO_ANSWER
    await gateway.start()
    await node.until(Resource.SKILLS, lambda head: not head.stale)
    sessions = await node.head(Resource.SESSIONS)

    assert sessions is not None
    assert (sessions.stale, sessions.linked) == (True, True)
    await gateway.crash()
    gateway.methods["sessions.list"] = answer
    await gateway.start()
    await node.until_fresh()


async def test_a_list_that_was_read_while_others_were_given_up_counts_as_fresh(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_READ_SECONDS", 0.0)
    mirror = node.start()
    refresher = mirror._refresher
    doubt = refresher.doubt

    async def doubt_and_wait(read: Read) -> None:
        await doubt(read)
        await asyncio.gather(*refresher._running.values())

    monkeypatch.setattr(refresher, "doubt", doubt_and_wait)

    await node.until_fresh()


@dataclass
class HangingCommands:
    """A command line that does not come back."""

    began: asyncio.Event = field(default_factory=asyncio.Event)

    async def json(self, *_command: str, options: Mapping[str, str] | None = None) -> Any:
        del options
        self.began.set()
        await asyncio.Event().wait()

    async def is_old(self) -> bool:
        return False


async def test_a_command_that_runs_holds_up_no_other_list_when_the_gateway_comes_or_goes(
    node: Node, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_READ_SECONDS", 3 * SECONDS)
    await gateway.stop()
    mirror, commands = node.start(), HangingCommands()
    monkeypatch.setattr(mirror._refresher, "_commands", commands)
    await node.until(Resource.CAPABILITIES, lambda _: True)
    asking = asyncio.create_task(node.requests.ask("local", resources=["skills"], seconds=6 * SECONDS))
    async with asyncio.timeout(SECONDS):
        await commands.began.wait()

    for _ in range(2):
        await gateway.start()
        await node.until(Resource.BOTS_MODELS, lambda head: not head.stale)
        await gateway.crash()
        await node.until(Resource.BOTS_MODELS, lambda head: head.stale)

    asking.cancel()
