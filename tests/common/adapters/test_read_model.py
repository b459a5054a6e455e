"""The read model, on a real broker."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel
from redis.asyncio import Redis

from buddy_common.adapters.read_model import ReadEntry, ReadModel
from buddy_common.errors import BrokerUnavailableError


class Weather(BaseModel):
    sky: str


async def test_resource_comes_back_as_it_was_published(redis: Redis) -> None:
    model = ReadModel(redis)
    before = datetime.now(UTC)

    await model.put("local", "weather", Weather(sky="blue ☀"), source="file", fresh_seconds=30)

    entry = await model.get("local", "weather")
    assert entry is not None
    assert Weather.model_validate_json(entry.data) == Weather(sky="blue ☀")
    assert entry.source == "file"
    assert before <= entry.updated_at <= datetime.now(UTC)
    assert 0 <= entry.age_seconds < 5


async def test_later_publication_replaces_the_earlier(redis: Redis) -> None:
    model = ReadModel(redis)
    for sky in ("blue", "grey"):
        await model.put("local", "weather", Weather(sky=sky), source="file", fresh_seconds=30)

    entry = await model.get("local", "weather")

    assert entry is not None
    assert entry.data == '{"sky":"grey"}'


async def test_nodes_and_resources_are_kept_apart(redis: Redis) -> None:
    model = ReadModel(redis)
    await model.put("local", "weather", Weather(sky="blue"), source="file", fresh_seconds=30)

    assert await model.get("vps-1", "weather") is None
    assert await model.get("local", "gateway") is None


async def test_entry_of_a_node_that_fell_silent_stays_and_grows_old(redis: Redis) -> None:
    await ReadModel(redis).put("local", "weather", Weather(sky="blue"), source="file", fresh_seconds=30)

    (key,) = [key async for key in redis.scan_iter("*")]

    assert await redis.ttl(key) == -1  # never expires: the api says how old it is


@pytest.mark.parametrize(("seconds", "age"), [(-90, 90), (60, 0)])
def test_age_is_never_negative_even_if_the_nodes_clock_is_ahead(seconds: float, age: float) -> None:
    entry = ReadEntry("{}", "file", datetime.now(UTC) + timedelta(seconds=seconds), fresh_seconds=30)

    assert entry.age_seconds == pytest.approx(age, abs=5)


@pytest.mark.parametrize(("age", "stale"), [(29, False), (31, True)])
def test_entry_is_stale_when_its_news_is_overdue(age: float, stale: bool) -> None:  # noqa: FBT001 - a parameter of the test
    entry = ReadEntry("{}", "file", datetime.now(UTC) - timedelta(seconds=age), fresh_seconds=30)

    assert entry.stale is stale


async def test_model_without_its_broker_is_unavailable(dead_redis: Redis) -> None:
    model = ReadModel(dead_redis)

    async with asyncio.timeout(3):
        with pytest.raises(BrokerUnavailableError):
            await model.put("local", "weather", Weather(sky="blue"), source="file", fresh_seconds=30)
        with pytest.raises(BrokerUnavailableError):
            await model.get("local", "weather")
