"""Secrets on their way to a worker: handed out once, and not for ever."""

import asyncio
import json
from typing import Any

import pytest
from redis.asyncio import Redis

from buddy_common.adapters.redis_client import open_redis
from buddy_common.adapters.sealed_payloads import KEEP_SECONDS, NODE_BYTES, SealedPayloads, new_seal_key
from buddy_common.errors import BrokerUnavailableError, QueueFullError
from fakes.ports import free_port

KEY = new_seal_key()
FIELDS: dict[str, Any] = {"config": {"apiKey": "sk-0123456789abcd", "名": [1, None, True, {"a": 1.5}]}}


async def test_fields_are_handed_out_once(redis: Redis) -> None:
    sealed = SealedPayloads(redis)
    await sealed.put("t-1", FIELDS, key=KEY, node="local")

    assert await sealed.take("t-2", key=KEY) is None
    assert await sealed.take("t-1", key=KEY) == FIELDS
    assert await sealed.take("t-1", key=KEY) is None


async def test_redis_holds_nothing_that_can_be_read_without_the_key(redis: Redis) -> None:
    sealed = SealedPayloads(redis)
    await sealed.put("t-1", FIELDS, key=KEY, node="local")

    held = await redis.get("buddy:sealed:t-1")

    assert held
    assert "apiKey" not in held
    assert FIELDS["config"]["apiKey"] not in held
    assert await sealed.take("t-1", key=new_seal_key()) is None


async def test_of_ten_who_take_at_once_one_gets_them(redis: Redis) -> None:
    sealed = SealedPayloads(redis)
    await sealed.put("t-1", FIELDS, key=KEY, node="local")

    taken = await asyncio.gather(*(sealed.take("t-1", key=KEY) for _ in range(10)))

    assert [fields for fields in taken if fields is not None] == [FIELDS]


async def test_what_nobody_takes_does_not_stay(redis: Redis) -> None:
    await SealedPayloads(redis).put("t-1", FIELDS, key=KEY, node="local")

    keys = [key async for key in redis.scan_iter("*sealed*")]
    assert len(keys) == 2
    for key in keys:
        assert 0 < await redis.ttl(key) <= KEEP_SECONDS


async def test_chinese_takes_no_more_room_than_its_bytes(redis: Redis) -> None:
    text = "长" * 100_000
    await SealedPayloads(redis).put("t-1", {"content": text}, key=KEY, node="local")

    size = await redis.strlen("buddy:sealed:t-1")
    assert size < len(text.encode()) * 1.4  # Fernet's base64
    assert await SealedPayloads(redis).take("t-1", key=KEY) == {"content": text}


async def test_half_of_a_surrogate_pair_comes_out_as_it_went_in(redis: Redis) -> None:
    fields = json.loads('{"config": {"x": "\\ud83e"}}')
    await SealedPayloads(redis).put("t-1", fields, key=KEY, node="local")
    assert await SealedPayloads(redis).take("t-1", key=KEY) == fields


async def test_only_so_much_waits_for_a_node_however_many_come_at_once(redis: Redis) -> None:
    sealed, large = SealedPayloads(redis), {"content": "x" * (2 * 1024 * 1024)}

    ends = await asyncio.gather(
        *(sealed.put(f"t-{number}", large, key=KEY, node="local") for number in range(12)),
        return_exceptions=True,
    )

    refused = [end for end in ends if isinstance(end, QueueFullError)]
    there = [await redis.strlen(f"buddy:sealed:t-{number}") for number in range(12)]
    assert ends.count(None) == 12 - len(refused)
    assert 0 < len(refused) < 12
    assert NODE_BYTES - 3 * 1024 * 1024 < sum(there) <= NODE_BYTES
    assert refused[0].headers == {"Retry-After": "30"}
    await sealed.put("t-other", large, key=KEY, node="other")


@pytest.mark.parametrize("way", ["taken", "dropped", "expired"])
async def test_what_is_gone_makes_room(way: str, redis: Redis) -> None:
    sealed, half = SealedPayloads(redis), {"content": "x" * (NODE_BYTES * 3 // 8 - 1000)}
    for name in ("t-1", "t-2"):
        await sealed.put(name, half, key=KEY, node="local")
    with pytest.raises(QueueFullError):
        await sealed.put("t-3", half, key=KEY, node="local")

    if way == "taken":
        await sealed.take("t-1", key=KEY)
    elif way == "dropped":
        await sealed.drop("t-1")
    else:
        await redis.pexpire("buddy:sealed:t-1", 0)

    await sealed.put("t-3", half, key=KEY, node="local")
    assert await redis.smembers("buddy:sealed-of:local") == {"t-2", "t-3"}


async def test_one_alone_gets_in_at_any_size(redis: Redis) -> None:
    sealed, large = SealedPayloads(redis), {"content": "x" * NODE_BYTES}
    await sealed.put("t-1", large, key=KEY, node="local")
    with pytest.raises(QueueFullError):
        await sealed.put("t-2", FIELDS, key=KEY, node="local")


async def test_a_broker_that_is_gone_is_told() -> None:
    redis = open_redis(f"redis://127.0.0.1:{free_port()}/0")
    sealed = SealedPayloads(redis)
    try:
        with pytest.raises(BrokerUnavailableError):
            await sealed.put("t-1", FIELDS, key=KEY, node="local")
        with pytest.raises(BrokerUnavailableError):
            await sealed.take("t-1", key=KEY)
        with pytest.raises(BrokerUnavailableError):
            await sealed.drop("t-1")
    finally:
        await redis.aclose()
