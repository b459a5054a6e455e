"""Which workers live, on a real broker."""

import asyncio
import time

import pytest
from redis.asyncio import Redis

from buddy_common.adapters.presence import BEAT_SECONDS, EXPIRY_SECONDS, Presence
from buddy_common.adapters.read_model import ReadModel
from buddy_common.adapters.task_stream import TaskStream
from buddy_common.errors import BrokerUnavailableError
from buddy_common.schemas.job import JobMessage, Lane
from common.waiting import until


async def workers(presence: Presence) -> set[tuple[str, Lane, str]]:
    return {(found.node, found.lane, found.worker) for found in await presence.listing()}


async def test_nobody_lives_on_a_fresh_broker(redis: Redis) -> None:
    assert await Presence(redis).listing() == []


async def test_beat_makes_a_worker_visible_with_its_time(redis: Redis) -> None:
    presence = Presence(redis)
    before = time.time()

    await presence.beat("local", Lane.FAST, "host-1:4711:a")

    (found,) = await presence.listing()
    assert (found.node, found.lane, found.worker) == ("local", Lane.FAST, "host-1:4711:a")
    assert before <= found.seen_at <= time.time()


async def test_worker_that_dies_is_forgotten_by_itself(redis: Redis) -> None:
    await Presence(redis).beat("local", Lane.FAST, "w1")
    (key,) = [key async for key in redis.scan_iter("*")]

    assert EXPIRY_SECONDS - 1 <= await redis.ttl(key) <= EXPIRY_SECONDS
    assert EXPIRY_SECONDS >= 3 * BEAT_SECONDS  # a lost beat or two is no death

    async def is_gone() -> bool:
        return await redis.exists(key) == 0

    await redis.pexpire(key, 1)
    await until(is_gone)
    assert await Presence(redis).listing() == []


async def test_next_beat_gives_the_worker_its_full_time_again(redis: Redis) -> None:
    presence = Presence(redis)
    await presence.beat("local", Lane.FAST, "w1")
    (key,) = [key async for key in redis.scan_iter("*")]
    await redis.expire(key, 2)

    await presence.beat("local", Lane.FAST, "w1")

    assert await redis.ttl(key) > 2
    assert await workers(presence) == {("local", Lane.FAST, "w1")}


async def test_worker_that_leaves_is_gone_at_once_and_only_that_one(redis: Redis) -> None:
    presence = Presence(redis)
    for lane in Lane:
        await presence.beat("local", lane, "w1")
    await presence.beat("vps-1", Lane.FAST, "w1")

    await presence.leave("local", Lane.FAST, "w1")
    await presence.leave("local", Lane.FAST, "never-was")

    assert await workers(presence) == {("local", Lane.SLOW, "w1"), ("vps-1", Lane.FAST, "w1")}


async def test_other_entries_of_the_broker_are_not_taken_for_workers(redis: Redis) -> None:
    message = JobMessage(task_id="task-1")
    for node in ("worker", "task", "local"):
        await ReadModel(redis).put(node, "gateway", message, source="file", fresh_seconds=30)
    await TaskStream(redis).append("task-1", [{"line": "a"}])

    assert await Presence(redis).listing() == []


async def test_all_of_many_workers_are_listed(redis: Redis) -> None:
    presence = Presence(redis)
    for number in range(50):
        await presence.beat(f"node-{number}", Lane.FAST, "w")
    for number in range(1000):
        await redis.set(f"other:{number}", "x")

    assert len(await presence.listing()) == 50


async def test_presence_without_its_broker_is_unavailable(dead_redis: Redis) -> None:
    presence = Presence(dead_redis)

    async with asyncio.timeout(3):
        for call in (
            presence.beat("local", Lane.FAST, "w1"),
            presence.leave("local", Lane.FAST, "w1"),
            presence.ping(),
            presence.listing(),
        ):
            with pytest.raises(BrokerUnavailableError):
                await call


async def test_ping_of_a_living_broker_is_fine(redis: Redis) -> None:
    async with asyncio.timeout(3):
        await Presence(redis).ping()
