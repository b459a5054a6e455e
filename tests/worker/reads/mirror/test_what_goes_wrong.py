"""A broker that forgets, a reader that ends or crashes, and a config that is broken from the start."""

import asyncio
import json
from pathlib import Path

import pytest

from buddy_common.schemas.job import NodeLock
from buddy_common.schemas.resources import Resource
from buddy_worker.reads.table import READS
from eventually import eventually
from fakes.gateway import FakeGateway
from worker.reads.mirror.node import SECONDS, Node


async def test_a_broker_that_forgets_is_filled_again(node: Node) -> None:
    node.start()
    await node.until_fresh()

    await node.w.redis.flushall()

    await node.until_fresh()


async def test_a_broker_that_has_only_what_was_read_since_is_filled_again(node: Node) -> None:
    node.start()
    await node.until_fresh()
    (key,) = [key async for key in node.w.redis.scan_iter(match="buddy:*:read")]

    await node.w.redis.hdel(
        key, *(f"{name}{part}" for name in ("skills", "plugins") for part in ("", ":data"))
    )

    await node.until_fresh()


async def test_only_one_of_two_reads_and_the_other_takes_over(node: Node, gateway: FakeGateway) -> None:
    node.start()
    await node.until_fresh()
    other = Node(node.w, gateway)
    other.start()
    assert len(gateway.sockets) == 1

    await node.end()
    await other.until_fresh()

    assert len(gateway.connects) == 2
    await other.end()


async def test_a_reader_that_ends_says_so_and_leaves_nothing_behind(node: Node) -> None:
    node.start()
    await node.until_fresh()

    await node.end()

    head = await node.head(Resource.SKILLS)
    assert head is not None
    assert head.stale
    assert await asyncio.to_thread(node.w.host.locks.are_free, {NodeLock.READER})


async def test_a_reader_that_crashes_begins_again_and_goes_on_reading(
    node: Node, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = node.start()
    await node.until_fresh()
    crashed = asyncio.Event()
    real = mirror._catch_up

    async def crash_once() -> None:
        monkeypatch.setattr(mirror, "_catch_up", real)
        mirror._plan(READS)  # they are planned, and will never be read
        crashed.set()
        raise ZeroDivisionError

    monkeypatch.setattr(mirror, "_catch_up", crash_once)
    async with asyncio.timeout(SECONDS):
        await crashed.wait()
    gateway.methods["skills.status"] = {"skills": [{"name": "new"}]}

    await eventually(
        lambda: node.data(Resource.SKILLS), lambda data: data == [{"name": "new"}], seconds=SECONDS
    )
    await node.until_fresh()
    gateway.methods["skills.status"] = {"skills": [{"name": "newer"}]}
    await gateway.push("skills.changed", {})
    await eventually(
        lambda: node.data(Resource.SKILLS), lambda data: data == [{"name": "newer"}], seconds=SECONDS
    )


async def test_a_loop_of_the_reader_that_ends_as_cancelled_is_a_crash_and_begins_again(
    node: Node, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = node.start()
    await node.until_fresh()
    real = mirror._catch_up

    async def await_what_was_cancelled() -> None:
        monkeypatch.setattr(mirror, "_catch_up", real)
        cancelled = asyncio.ensure_future(asyncio.Event().wait())
        cancelled.cancel()
        await cancelled

    connects = len(gateway.connects)
    monkeypatch.setattr(mirror, "_catch_up", await_what_was_cancelled)

    await eventually(lambda: asyncio.sleep(0, len(gateway.connects)), lambda n: n > connects, seconds=SECONDS)
    await node.until_fresh()


@pytest.mark.parametrize("is_up", [True, False], ids=["with a gateway", "without one"])
async def test_a_config_that_is_broken_when_the_reader_starts_leaves_what_was_published(
    node: Node, gateway: FakeGateway, tmp_path: Path, *, is_up: bool
) -> None:
    read_model, workspace = node.w.host.read_model, tmp_path / "workspace"
    (workspace).mkdir()
    (workspace / "SOUL.md").write_text("我是谁")
    before = {
        Resource.CHAT: {"enabled": True},
        Resource.BOTS_MODELS: {"bots": [{"id": "bot_1", "workspace": str(workspace)}], "models": []},
    }
    for resource, value in before.items():
        await read_model.put(
            "local", resource, json.dumps(value), source="rpc", fresh_seconds=99, of_gateway=True
        )
    file = node.w.host.gateway_settings.config_file
    good = await asyncio.to_thread(file.read_text)
    await asyncio.to_thread(file.write_text, "{,}")
    if not is_up:
        await gateway.stop()
    node.start()

    for resource in (Resource.CHAT, Resource.BOTS_MODELS):
        head = await node.until(resource, lambda head: head.doubtful and head.linked is is_up)
        assert head.stale
        assert await node.data(resource) == before[resource]
    answer = await node.requests.ask("local", resources=["models-config"], seconds=SECONDS)
    assert answer is not None
    assert answer.data["failed"] == ["models-config"]
    assert str(file) in answer.data["reasons"]["models-config"]
    assert await node.head(Resource.MODELS_CONFIG) is None
    soul = await node.requests.ask("local", bot="bot_1", file="SOUL.md", seconds=SECONDS)
    assert soul is not None
    assert soul.data["content"] == "我是谁"

    await node.w.redis.flushall()
    unknown = await node.requests.ask("local", bot="bot_1", file="SOUL.md", seconds=SECONDS)
    assert unknown is not None
    assert unknown.error == "not_reported"
    assert str(file) in unknown.message
    await asyncio.to_thread(file.write_text, good)
    await node.until(Resource.CHAT, lambda head: not head.doubtful)
