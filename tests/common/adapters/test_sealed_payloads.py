"""Secrets on their way to a worker: handed out once, and not for ever."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from buddy_common.adapters.redis_client import open_redis
from buddy_common.adapters.sealed_payloads import KEEP_SECONDS, SealedPayloads, new_seal_key
from buddy_common.errors import BrokerUnavailableError
from fakes.ports import free_port

KEY = new_seal_key()
FIELDS: dict[str, Any] = {"config": {"apiKey": "sk-0123456789abcd", "名": [1, None, True, {"a": 1.5}]}}


async def test_fields_are_handed_out_once(redis: Redis) -> None:
    sealed = SealedPayloads(redis)
    await sealed.put("t-1", FIELDS, key=KEY)

    assert await sealed.take("t-2", key=KEY) is None
    assert await sealed.take("t-1", key=KEY) == FIELDS
    assert await sealed.take("t-1", key=KEY) is None


async def test_redis_holds_nothing_that_can_be_read_without_the_key(redis: Redis) -> None:
    sealed = SealedPayloads(redis)
    await sealed.put("t-1", FIELDS, key=KEY)

    held = await redis.get("buddy:sealed:t-1")

    assert held
    assert "apiKey" not in held
    assert FIELDS["config"]["apiKey"] not in held
    assert await sealed.take("t-1", key=new_seal_key()) is None


async def test_of_ten_who_take_at_once_one_gets_them(redis: Redis) -> None:
    sealed = SealedPayloads(redis)
    await sealed.put("t-1", FIELDS, key=KEY)

    taken = await asyncio.gather(*(sealed.take("t-1", key=KEY) for _ in range(10)))

    assert [fields for fields in taken if fields is not None] == [FIELDS]


async def test_what_nobody_takes_does_not_stay(redis: Redis) -> None:
    await SealedPayloads(redis).put("t-1", FIELDS, key=KEY)

    (key,) = [key async for key in redis.scan_iter("*sealed*")]
    assert 0 < await redis.ttl(key) <= KEEP_SECONDS


async def test_a_broker_that_is_gone_is_told() -> None:
    redis = open_redis(f"redis://127.0.0.1:{free_port()}/0")
    sealed = SealedPayloads(redis)
    try:
        with pytest.raises(BrokerUnavailableError):
            await sealed.put("t-1", FIELDS, key=KEY)
        with pytest.raises(BrokerUnavailableError):
            await sealed.take("t-1", key=KEY)
    finally:
        await redis.aclose()
