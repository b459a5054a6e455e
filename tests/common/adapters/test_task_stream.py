"""Live progress of tasks, on a real broker."""

import asyncio
import time

import pytest
from redis.asyncio import Redis

from buddy_common.adapters import task_stream
from buddy_common.adapters.redis_client import open_redis
from buddy_common.adapters.task_stream import KEPT_SECONDS, TaskStream
from buddy_common.errors import BrokerUnavailableError
from common.waiting import until
from fakes.broker import BrokerServer

TASK = "task-1774656000-9f3c1a7e"


async def until_blocked(redis: Redis, clients: int) -> None:
    """Return when so many clients wait inside the broker."""

    async def check() -> bool:
        return int((await redis.info("clients"))["blocked_clients"]) >= clients

    await until(check)


async def test_wait_returns_as_soon_as_something_is_added(redis: Redis) -> None:
    stream = TaskStream(redis)
    start = await stream.position(TASK)
    waiting = asyncio.create_task(stream.wait(TASK, after=start, seconds=3))
    await until_blocked(redis, 1)

    await stream.append(TASK, [{"stage": "starting", "progress": "60"}])

    async with asyncio.timeout(1):  # well under the three seconds that it may wait
        end = await waiting
    assert end != start
    assert end == await stream.position(TASK)


async def test_wait_returns_at_once_for_what_was_added_before(redis: Redis) -> None:
    stream = TaskStream(redis)
    await stream.append(TASK, [{"line": "a"}, {"line": "b"}])

    async with asyncio.timeout(1):
        end = await stream.wait(TASK, after="0-0", seconds=3)

    assert end == await stream.position(TASK)


async def test_wait_goes_on_from_the_returned_position(redis: Redis) -> None:
    stream = TaskStream(redis)
    await stream.append(TASK, [{"line": "a"}])
    first = await stream.wait(TASK, after="0-0", seconds=3)
    await stream.append(TASK, [{"line": "b"}])

    second = await stream.wait(TASK, after=first, seconds=3)

    assert second != first
    assert second == await stream.position(TASK)


@pytest.mark.parametrize("seconds", [0.0, 0.05])
async def test_wait_gives_back_its_position_on_silence(redis: Redis, seconds: float) -> None:
    stream = TaskStream(redis)
    await stream.append(TASK, [{"line": "a"}])
    position = await stream.position(TASK)
    began = time.monotonic()

    assert await stream.wait(TASK, after=position, seconds=seconds) == position

    assert seconds * 0.9 <= time.monotonic() - began < 2


async def test_other_tasks_do_not_wake_a_wait(redis: Redis) -> None:
    stream = TaskStream(redis)
    await stream.append("task-2", [{"line": "a"}])

    assert await stream.wait(TASK, after="0-0", seconds=0.05) == "0-0"
    assert await stream.position(TASK) == "0-0"


async def test_entries_are_kept_in_order(redis: Redis) -> None:
    stream = TaskStream(redis)

    await stream.append(TASK, [{"line": f"line {number}"} for number in range(20)])
    await stream.append(TASK, [{"status": "Completed"}])

    (key,) = [key async for key in redis.scan_iter("*task-*")]
    fields = [entry[1] for entry in await redis.xrange(key) or []]
    assert fields == [*({"line": f"line {number}"} for number in range(20)), {"status": "Completed"}]


async def test_nothing_to_add_is_fine(redis: Redis) -> None:
    await TaskStream(redis).append(TASK, [])

    assert await redis.dbsize() == 0


async def test_stream_is_bounded_in_length_and_in_time(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_stream, "KEPT_ENTRIES", 200)  # trimmed in blocks of a hundred
    await TaskStream(redis).append(TASK, [{"line": str(number)} for number in range(1000)])

    (key,) = [key async for key in redis.scan_iter("*task-*")]

    assert 200 <= await redis.xlen(key) <= 300
    assert KEPT_SECONDS - 5 <= await redis.ttl(key) <= KEPT_SECONDS


async def test_many_may_wait_for_one_task(redis: Redis) -> None:
    stream = TaskStream(redis)
    waiting = [asyncio.create_task(stream.wait(TASK, after="0-0", seconds=3)) for _ in range(10)]
    await until_blocked(redis, 10)

    await stream.append(TASK, [{"status": "Completed"}])

    async with asyncio.timeout(2):
        assert set(await asyncio.gather(*waiting)) == {await stream.position(TASK)}


async def test_stream_without_its_broker_is_unavailable(dead_redis: Redis) -> None:
    stream = TaskStream(dead_redis)

    async with asyncio.timeout(3):
        for call in (
            stream.append(TASK, [{"line": "a"}]),
            stream.position(TASK),
            stream.wait(TASK, after="0-0", seconds=3),
        ):
            with pytest.raises(BrokerUnavailableError):
                await call


async def test_wait_ends_when_the_broker_goes_away(own_broker: BrokerServer) -> None:
    client = open_redis(own_broker.url)
    waiting = asyncio.create_task(TaskStream(client).wait(TASK, after="0-0", seconds=3))
    await until_blocked(client, 1)

    await asyncio.to_thread(own_broker.stop)

    async with asyncio.timeout(3):
        with pytest.raises(BrokerUnavailableError):
            await waiting
    await client.aclose()


async def test_a_change_of_any_task_is_told_once_and_more_output_is_none(redis: Redis) -> None:
    stream = TaskStream(redis)
    start = await stream.changes_position()

    await stream.append(TASK, [{"line": "one"}])
    await stream.append(TASK, [{"stage": "starting", "progress": "60"}, {"line": "two"}])
    await stream.append("task-2", [{"status": "Queued"}])
    await stream.append(TASK, [{"status": "Completed"}])

    changed, end = await stream.wait_for_changes(after=start, seconds=0.1)
    assert changed == [TASK, "task-2"]
    assert await stream.wait_for_changes(after=end, seconds=0.05) == ([], end)


async def test_the_list_of_changed_tasks_does_not_grow_for_ever(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_stream, "KEPT_CHANGES", 10)
    stream = TaskStream(redis)

    for number in range(500):
        await stream.append(f"task-{number}", [{"status": "Queued"}])

    changed, _ = await stream.wait_for_changes(after="0-0", seconds=0.1)
    assert len(changed) < 300
    assert changed[-1] == "task-499"
