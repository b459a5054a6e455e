"""Who is wrong too often is told to wait, by all processes, and takes no memory for it."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from types import SimpleNamespace

import pytest
from redis.asyncio import Redis

from buddy_common.adapters import attempts
from buddy_common.adapters.attempts import PLACES, Attempts, Kind
from buddy_common.errors import TooManyAttemptsError
from fakes.broker import BrokerServer

KEY = b"the-token"


async def refused(limit: Attempts, address: str = "203.0.113.7", kind: Kind = Kind.GUESS) -> bool:
    try:
        await limit.count(kind, address)
    except TooManyAttemptsError:
        return True
    return False


Open = Callable[[str], Attempts]


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    """Return what makes one for a broker; all are closed in the end."""
    async with AsyncExitStack() as stack:

        def make(url: str) -> Attempts:
            limit = Attempts(redis_url=url, per_minute=3, key=KEY)
            stack.push_async_callback(limit.close)
            return limit

        yield make


@pytest.fixture
def limit(opened: Open, redis_url: str) -> Attempts:
    return opened(redis_url)


async def test_processes_count_together(limit: Attempts, opened: Open, redis_url: str) -> None:
    other = opened(redis_url)
    assert [await refused(each) for each in (limit, other, limit, other, limit)] == [False] * 3 + [True] * 2


async def test_kinds_and_addresses_have_limits_of_their_own(limit: Attempts) -> None:
    for _ in range(4):
        await refused(limit)
    assert await refused(limit)
    assert not await refused(limit, kind=Kind.LOGIN)
    assert not await refused(limit, "203.0.113.8")


async def test_the_addresses_of_one_network_of_ipv6_are_one(limit: Attempts) -> None:
    found = [await refused(limit, f"2001:db8:0:1::{number}") for number in range(4)]
    assert found == [False, False, False, True]
    assert not await refused(limit, "2001:db8:0:2::1")


async def test_an_address_is_the_same_in_either_notation(limit: Attempts) -> None:
    for _ in range(3):
        await refused(limit)
    assert await refused(limit, "::ffff:203.0.113.7")


async def test_only_the_first_refusal_of_a_minute_is_worth_a_record(limit: Attempts) -> None:
    first = []
    for _ in range(10):
        try:
            await limit.count(Kind.LOGIN, "203.0.113.7")
        except TooManyAttemptsError as exc:
            first.append(exc.is_first)
    assert first == [True] + [False] * 6


async def test_the_next_minute_has_room_and_a_record_again(
    limit: Attempts, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        await refused(limit)
    now = time.monotonic()
    monkeypatch.setattr(attempts, "time", SimpleNamespace(monotonic=lambda: now + 61, time=time.time))
    await redis.flushall()  # its clock cannot be set
    assert [await refused(limit) for _ in range(3)] == [False] * 3
    with pytest.raises(TooManyAttemptsError) as found:
        await limit.count(Kind.GUESS, "203.0.113.7")
    assert found.value.is_first


async def test_who_is_refused_costs_no_broker(opened: Open, own_broker: BrokerServer) -> None:
    limit = opened(own_broker.url)
    for _ in range(4):
        await refused(limit)
    own_broker.stop()
    assert await refused(limit)


async def test_without_a_broker_each_process_counts_by_itself(opened: Open, own_broker: BrokerServer) -> None:
    limit = opened(own_broker.url)
    own_broker.stop()
    assert [await refused(limit) for _ in range(5)] == [False] * 3 + [True] * 2


async def test_any_number_of_addresses_takes_a_bounded_number_of_places(limit: Attempts) -> None:
    places = {limit._place(f"10.{a}.{b}.1") for a in range(128) for b in range(256)}
    assert PLACES * 0.9 < len(places) <= PLACES
    other = Attempts(redis_url="redis://127.0.0.1:1", per_minute=3, key=b"another")
    assert limit._place("10.0.0.1") != other._place("10.0.0.1")


async def test_what_is_no_address_is_counted_too(limit: Attempts) -> None:
    assert [await refused(limit, "unknown") for _ in range(4)] == [False] * 3 + [True]
