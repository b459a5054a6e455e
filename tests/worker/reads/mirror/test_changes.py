"""What the gateway tells of, and edits of its config, have the lists read again."""

import asyncio
import json
from pathlib import Path

import pytest

from buddy_common.schemas.resources import Resource
from buddy_worker.reads import mirror as module
from eventually import eventually
from fakes.gateway import FakeGateway
from worker.reads.mirror.node import SECONDS, Node, agents, edit


async def test_an_event_has_its_lists_read_again(node: Node, gateway: FakeGateway) -> None:
    node.start()
    await node.until_fresh()
    gateway.methods["skills.status"] = {"skills": [{"name": "new"}]}
    before = await node.until(Resource.SKILLS, lambda _: True)

    await gateway.push("skills.changed", {})

    await node.until(Resource.SKILLS, lambda head: head.etag != before.etag and not head.stale)


async def test_an_edit_of_the_config_is_seen_without_anybody_asking(node: Node) -> None:
    node.start()
    await node.until_fresh()
    file: Path = node.w.host.gateway_settings.config_file
    config = json.loads(await asyncio.to_thread(file.read_text))
    config["gateway"]["http"] = {"endpoints": {"chatCompletions": {"enabled": True}}}

    await asyncio.to_thread(file.write_text, json.dumps(config))

    await eventually(
        lambda: node.data(Resource.CHAT), lambda data: data == {"enabled": True}, seconds=SECONDS
    )


async def test_who_asks_after_an_edit_gets_what_the_gateway_says_once_it_has_it(
    node: Node, gateway: FakeGateway
) -> None:
    gateway.methods["agents.list"] = agents("main")
    node.start()
    await node.until_fresh()

    await edit(node, ui={"seamColor": "#fff"})
    asking = asyncio.create_task(node.requests.ask("local", resources=["bots-models"], seconds=SECONDS))
    await node.until(Resource.BOTS_MODELS, lambda head: head.doubtful)
    before = await node.until(Resource.BOTS_MODELS, lambda _: True)
    read = await node.until(Resource.BOTS_MODELS, lambda head: head.updated_at > before.updated_at)
    assert read.doubtful  # it is what the gateway says, and the gateway is as before the edit
    assert not asking.done()
    gateway.methods["agents.list"] = agents("main", "late")
    await gateway.push("config.changed", {"path": "openclaw.json", "hash": "1"})

    assert await asking is not None
    assert [bot["id"] for bot in (await node.data(Resource.BOTS_MODELS))["bots"]] == ["main", "late"]
    await node.until(Resource.BOTS_MODELS, lambda head: not head.stale)


async def test_a_file_of_a_bot_that_was_just_added_is_found(
    node: Node, gateway: FakeGateway, tmp_path: Path
) -> None:
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / "SOUL.md").write_text("我是谁")
    gateway.methods["agents.list"] = agents("main")
    node.start()
    await node.until_fresh()

    await edit(node, ui={"seamColor": "#fff"})
    asking = asyncio.create_task(node.requests.ask("local", bot="late", file="SOUL.md", seconds=SECONDS))
    await node.until(Resource.BOTS_MODELS, lambda head: head.doubtful)
    listed = agents("main", "late")
    listed["agents"][1]["workspace"] = str(tmp_path / "late")
    gateway.methods["agents.list"] = listed
    await gateway.push("config.changed", {"path": "openclaw.json", "hash": "1"})

    answer = await asking
    assert answer is not None
    assert answer.data["content"] == "我是谁"


async def test_a_gateway_that_tells_of_no_edit_has_its_time_and_is_read_then(
    node: Node, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TELLS_SECONDS", 0.5)
    gateway.methods["agents.list"] = agents("main")
    node.start()
    await node.until_fresh()

    await edit(node, ui={"seamColor": "#fff"})
    await node.until(Resource.BOTS_MODELS, lambda head: head.doubtful)
    gateway.methods["agents.list"] = agents("main", "late")

    await node.until(Resource.BOTS_MODELS, lambda head: not head.stale)
    assert [bot["id"] for bot in (await node.data(Resource.BOTS_MODELS))["bots"]] == ["main", "late"]
