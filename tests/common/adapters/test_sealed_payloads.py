"""Secrets on their way to a worker: handed out once, and not for ever."""

import asyncio

import pytest
from redis.asyncio import Redis

from buddy_common.adapters.redis_client import open_redis
from buddy_common.adapters.sealed_payloads import KEEP_SECONDS, SealedPayloads
from buddy_common.errors import BrokerUnavailableError
from fakes.ports import free_port

FIELDS = {"config": {"apiKey": "sk-0123456789abcd", "名": [1, None, True, {"a": 1.5}]}}


async def test_fields_are_handed_out_once(redis: Redis) -> None:
    sealed = SealedPayloads(redis)
    await sealed.put("t-1", FIELDS)

    assert await sealed.take("t-2") is None
    assert await sealed.take("t-1") == FIELDS
    assert await sealed.take("t-1") is None


async def test_of_ten_who_take_at_once_one_gets_them(redis: Redis) -> None:
    sealed = SealedPayloads(redis)
    await sealed.put("t-1", FIELDS)

    taken = await asyncio.gather(*(sealed.take("t-1") for _ in range(10)))

    assert [fields for fields in taken if fields is not None] == [FIELDS]


async def test_what_nobody_takes_does_not_stay(redis: Redis) -> None:
    await SealedPayloads(redis).put("t-1", FIELDS)

    (key,) = [key async for key in redis.scan_iter("*sealed*")]
    assert 0 < await redis.ttl(key) <= KEEP_SECONDS


async def test_a_broker_that_is_gone_is_told() -> None:
    redis = open_redis(f"redis://127.0.0.1:{free_port()}/0")
    sealed = SealedPayloads(redis)
    try:
        with pytest.raises(BrokerUnavailableError):
            await sealed.put("t-1", FIELDS)
        with pytest.raises(BrokerUnavailableError):
            await sealed.take("t-1")
    finally:
        await redis.aclose()
