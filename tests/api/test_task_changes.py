"""What wakes those who watch a task."""

import asyncio
from functools import partial

import pytest
from redis.asyncio import Redis

from buddy_api import task_changes
from buddy_api.task_changes import TaskChanges
from buddy_common.adapters.redis_client import open_redis
from buddy_common.adapters.task_stream import TaskStream
from buddy_common.schemas.tasks import TaskStatus
from buddy_common.stopping import Stopping
from eventually import eventually
from fakes.broker import BrokerServer

TASK = "task-1774656000-9f3c1a7e"


@pytest.fixture
def changes(redis: Redis) -> TaskChanges:
    return TaskChanges(TaskStream(redis), Stopping())


async def until_they_wait(redis: Redis, readers: int) -> None:
    await eventually(partial(redis.info, "clients"), lambda info: info["blocked_clients"] == readers)


async def test_an_announcement_wakes_who_waits(changes: TaskChanges, redis: Redis) -> None:
    position = await changes.position(TASK)
    waiting = asyncio.create_task(changes.wait(TASK, after=position, seconds=30))
    await until_they_wait(redis, 1)

    await changes.announce(TASK, TaskStatus.CANCELLED)

    async with asyncio.timeout(2):
        assert await waiting == await changes.position(TASK) != position


async def test_what_happened_since_the_position_is_not_missed(changes: TaskChanges) -> None:
    position = await changes.position(TASK)
    await changes.announce(TASK, TaskStatus.CANCELLED)

    async with asyncio.timeout(2):
        assert await changes.wait(TASK, after=position, seconds=30) != position


async def test_silence_ends_with_the_time(changes: TaskChanges) -> None:
    position = await changes.position(TASK)
    async with asyncio.timeout(2):
        assert await changes.wait(TASK, after=position, seconds=0.05) == position


async def test_more_watchers_than_connections_allow_look_by_the_clock(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_changes, "MAX_READERS", 2)
    changes = TaskChanges(TaskStream(redis), Stopping())
    readers = [asyncio.create_task(changes.wait(TASK, after="0-0", seconds=30)) for _ in range(2)]
    await until_they_wait(redis, 2)

    async with asyncio.timeout(2):
        assert await changes.wait(TASK, after="0-0", seconds=30) == "0-0"

    await until_they_wait(redis, 2)
    await changes.announce(TASK, TaskStatus.RUNNING)
    async with asyncio.timeout(2):
        assert "0-0" not in await asyncio.gather(*readers)


async def test_a_watcher_that_leaves_makes_room_for_another(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_changes, "MAX_READERS", 1)
    changes = TaskChanges(TaskStream(redis), Stopping())
    first = asyncio.create_task(changes.wait(TASK, after="0-0", seconds=30))
    await until_they_wait(redis, 1)
    first.cancel()
    await until_they_wait(redis, 0)

    second = asyncio.create_task(changes.wait(TASK, after="0-0", seconds=30))
    await until_they_wait(redis, 1)

    await changes.announce(TASK, TaskStatus.RUNNING)
    async with asyncio.timeout(2):
        assert await second != "0-0"


async def test_a_hundred_and_fifty_watchers_leave_connections_for_others(
    changes: TaskChanges, redis: Redis
) -> None:
    watchers = [asyncio.create_task(changes.wait(TASK, after="0-0", seconds=30)) for _ in range(150)]
    await until_they_wait(redis, task_changes.MAX_READERS)

    assert await redis.ping()

    await changes.announce(TASK, TaskStatus.RUNNING)
    async with asyncio.timeout(4):
        await asyncio.gather(*watchers)


async def test_without_the_broker_one_looks_by_the_clock_until_it_is_back(own_broker: BrokerServer) -> None:
    client = open_redis(own_broker.url)
    changes = TaskChanges(TaskStream(client), Stopping())
    await changes.announce(TASK, TaskStatus.QUEUED)
    own_broker.stop()

    async with asyncio.timeout(5):
        assert await changes.position(TASK) is None
        await changes.announce(TASK, TaskStatus.RUNNING)  # helps nobody, and fails nobody
        assert await changes.wait(TASK, after="0-0", seconds=30) is None
        assert await changes.wait(TASK, after=None, seconds=30) is None
        own_broker.start()
        position = await changes.wait(TASK, after=None, seconds=30)

    assert position is not None
    await client.aclose()
