"""What becomes of a broker that does not answer."""

import asyncio
import contextlib

import pytest
from redis.asyncio import Redis

from buddy_common.adapters.redis_client import broker_errors, open_redis
from buddy_common.errors import BrokerUnavailableError
from fakes.broker import BrokerServer
from fakes.ports import free_port


async def test_broker_that_went_away_is_unavailable_within_three_seconds(dead_redis: Redis) -> None:
    async with asyncio.timeout(3):
        with pytest.raises(BrokerUnavailableError):
            async with broker_errors():
                await dead_redis.ping()


async def test_broker_that_never_was_is_unavailable_within_three_seconds() -> None:
    client = open_redis(f"redis://:hunter2@127.0.0.1:{free_port()}/0")

    async with asyncio.timeout(3):
        with pytest.raises(BrokerUnavailableError) as failure:
            async with broker_errors():
                await client.ping()

    assert "hunter2" not in failure.value.message
    await client.aclose()


async def test_wrong_password_is_told_as_an_unavailable_broker(redis_url: str) -> None:
    client = open_redis(redis_url.replace("test-broker-password", "hunter2"))

    with pytest.raises(BrokerUnavailableError):
        async with broker_errors():
            await client.ping()
    await client.aclose()


async def test_kept_connection_survives_a_restart_of_the_broker(own_broker: BrokerServer) -> None:
    client = open_redis(own_broker.url)
    await client.set("key", "value")
    await asyncio.to_thread(own_broker.stop)
    await asyncio.to_thread(own_broker.start)

    async with broker_errors():
        assert await client.get("key") == "value"
    await client.aclose()


async def test_failures_that_are_not_the_brokers_pass_through() -> None:
    with pytest.raises(ZeroDivisionError):
        async with broker_errors():
            raise ZeroDivisionError


async def test_deadline_of_the_caller_is_not_taken_for_a_broken_broker(redis: Redis) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05), broker_errors():
            await redis.blpop(["nothing"], timeout=5)


async def test_a_cancellation_that_redis_py_swallows_is_not_lost() -> None:
    begun = asyncio.Event()

    async def call() -> str:
        async with broker_errors():
            begun.set()
            with contextlib.suppress(asyncio.CancelledError):  # as asyncio.wait_for of Python 3.11 does
                await asyncio.Event().wait()
        return "went on"

    task = asyncio.create_task(call())
    await begun.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_call_in_a_task_that_was_cancelled_before_is_let_through() -> None:
    async def clean_up() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            async with broker_errors():
                return "cleaned up"
        return "never"

    task = asyncio.create_task(clean_up())
    await asyncio.sleep(0)
    task.cancel()

    assert await task == "cleaned up"
