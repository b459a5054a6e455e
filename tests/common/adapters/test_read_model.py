"""The read model, on a real broker."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel
from redis.asyncio import Redis

from buddy_common.adapters import read_model
from buddy_common.adapters.read_model import ReadHead, ReadModel
from buddy_common.errors import BrokerUnavailableError


class Weather(BaseModel):
    sky: str


def head_of_age(seconds: float, **changes: bool) -> ReadHead:
    updated_at = datetime.now(UTC) - timedelta(seconds=seconds)
    return ReadHead("tag", "file", updated_at, fresh_seconds=30, **changes)


async def publish(model: ReadModel, sky: str = "blue ☀", *, of_gateway: bool = False) -> None:
    await model.put(
        "local", "weather", Weather(sky=sky), source="file", fresh_seconds=30, of_gateway=of_gateway
    )


async def test_resource_comes_back_as_it_was_published(redis: Redis) -> None:
    model = ReadModel(redis)
    before = datetime.now(UTC)

    await publish(model)

    entry = await model.get("local", "weather")
    assert entry is not None
    assert Weather.model_validate_json(entry.data) == Weather(sky="blue ☀")
    assert entry.head.source == "file"
    assert before <= entry.head.updated_at <= datetime.now(UTC)
    assert 0 <= entry.head.age_seconds < 5


async def test_ready_json_is_kept_as_it_is(redis: Redis) -> None:
    model = ReadModel(redis)

    await model.put("local", "weather", '{"sky":  "blue"}', source="rpc", fresh_seconds=30)

    entry = await model.get("local", "weather")
    assert entry is not None
    assert entry.data == '{"sky":  "blue"}'


async def test_the_head_tells_a_change_of_the_content_and_nothing_else(redis: Redis) -> None:
    model = ReadModel(redis)
    tags = []
    for sky in ("blue", "blue", "grey"):
        await publish(model, sky)
        head = await model.head("local", "weather")
        assert head is not None
        tags.append(head.etag)

    assert tags[0] == tags[1] != tags[2]


async def test_later_publication_replaces_the_earlier(redis: Redis) -> None:
    model = ReadModel(redis)
    for sky in ("blue", "grey"):
        await publish(model, sky)

    entry = await model.get("local", "weather")

    assert entry is not None
    assert entry.data == '{"sky":"grey"}'


async def test_nodes_and_resources_are_kept_apart(redis: Redis) -> None:
    model = ReadModel(redis)
    await publish(model)

    assert await model.get("vps-1", "weather") is None
    assert await model.get("local", "gateway") is None
    assert await model.head("local", "gateway") is None


async def test_entry_of_a_node_that_fell_silent_stays_and_grows_old(redis: Redis) -> None:
    await publish(ReadModel(redis))

    (key,) = [key async for key in redis.scan_iter("*")]

    assert await redis.ttl(key) == -1  # never expires: the api says how old it is


@pytest.mark.parametrize(("seconds", "age"), [(90, 90), (-60, 0)])
def test_age_is_never_negative_even_if_the_nodes_clock_is_ahead(seconds: float, age: float) -> None:
    assert head_of_age(seconds).age_seconds == pytest.approx(age, abs=5)


@pytest.mark.parametrize(("age", "stale"), [(29, False), (31, True)])
def test_entry_is_stale_when_its_news_is_overdue(age: float, stale: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert head_of_age(age).stale is stale


@pytest.mark.parametrize(
    ("of_gateway", "linked", "stale"), [(True, True, False), (True, False, True), (False, False, False)]
)
def test_what_mirrors_the_gateway_is_stale_without_it(
    of_gateway: bool,  # noqa: FBT001 - a parameter of the test
    linked: bool,  # noqa: FBT001 - a parameter of the test
    stale: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert head_of_age(1, of_gateway=of_gateway, linked=linked).stale is stale


async def test_the_link_goes_up_and_down_with_all_that_mirrors_the_gateway(redis: Redis) -> None:
    model = ReadModel(redis)
    await publish(model, of_gateway=True)
    seen = []
    for up in (True, False):
        await model.set_link("local", up=up)
        head = await model.head("local", "weather")
        assert head is not None
        seen.append((head.stale, head.linked))

    assert seen == [(False, True), (True, False)]


async def test_what_is_doubted_is_stale_until_it_is_published_again(redis: Redis) -> None:
    model = ReadModel(redis)
    await model.doubt("local", "weather")
    assert await model.head("local", "weather") is None
    await publish(model)
    seen = []
    for act in (model.doubt("local", "weather"), publish(model)):
        await act
        head = await model.head("local", "weather")
        assert head is not None
        seen.append(head.stale)

    assert seen == [True, False]


async def test_what_is_published_late_is_as_old_and_as_doubtful_as_it_is(redis: Redis) -> None:
    model, read_at = ReadModel(redis), datetime.now(UTC) - timedelta(seconds=20)

    await model.put(
        "local",
        "weather",
        "{}",
        source="rpc",
        fresh_seconds=30,
        updated_at=read_at.timestamp(),
        doubtful=True,
    )

    head = await model.head("local", "weather")
    assert head is not None
    assert head.updated_at == read_at
    assert (head.doubtful, head.stale) == (True, True)
    entry = await model.get("local", "weather")
    assert entry is not None
    assert entry.head.doubtful


async def test_a_doubt_never_brings_back_what_was_published_before(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ReadModel(redis)
    await publish(model)
    read = redis.hget

    async def read_before_another_publishes(*args: str) -> object:
        found = await read(*args)
        await publish(model, "grey")
        return found

    monkeypatch.setattr(redis, "hget", read_before_another_publishes)
    await model.doubt("local", "weather")

    entry = await model.get("local", "weather")
    assert entry is not None
    assert entry.head.etag == read_model.content_tag(entry.data.encode())


async def test_a_reader_that_says_nothing_any_more_has_no_link(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ReadModel(redis)
    await publish(model, of_gateway=True)
    await model.set_link("local", up=True)

    monkeypatch.setattr(read_model, "LINK_SECONDS", -1.0)

    head = await model.head("local", "weather")
    assert head is not None
    assert head.stale
    assert not head.linked


async def test_a_node_that_has_said_nothing_of_its_link_has_none(redis: Redis) -> None:
    model = ReadModel(redis)
    await publish(model, of_gateway=True)

    entry = await model.get("local", "weather")

    assert entry is not None
    assert entry.head.stale


async def test_model_without_its_broker_is_unavailable(dead_redis: Redis) -> None:
    model = ReadModel(dead_redis)

    async with asyncio.timeout(5):
        for call in (
            publish(model),
            model.get("local", "weather"),
            model.head("local", "weather"),
            model.set_link("local", up=True),
            model.doubt("local", "weather"),
        ):
            with pytest.raises(BrokerUnavailableError):
                await call
