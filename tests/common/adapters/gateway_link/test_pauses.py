"""How long the link waits before it tries again."""

import pytest

from buddy_common.adapters import gateway_link
from buddy_common.adapters.gateway_link import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    REFUSED_PAUSE_SECONDS,
)
from buddy_common.errors import GatewayUnreachableError
from common.adapters.gateway_link.follower import Follower, failure_of
from fakes.gateway import TOKEN, FakeGateway


async def test_pauses_grow_with_each_failure_and_begin_anew_after_a_connection(
    follower: Follower, gateway: FakeGateway, hurried: list[tuple[int, bool]]
) -> None:
    follower.trouble = [GatewayUnreachableError("No gateway listens.") for _ in range(2)]
    follower.follow(gateway.port)
    await follower.up()

    await gateway.stop()
    await follower.down()
    await gateway.start()
    await follower.up()

    failures = [failed for failed, _ in hurried]
    assert failures[:3] == [1, 2, 0]
    assert {refused for _, refused in hurried} == {False}


async def test_a_gateway_that_is_starting_is_asked_again_without_growing_pauses(
    follower: Follower, gateway: FakeGateway, hurried: list[tuple[int, bool]]
) -> None:
    follower.trouble = [GatewayUnreachableError("Not ready yet.", starting=True) for _ in range(3)]

    follower.follow(gateway.port)
    await follower.up()

    assert [failed for failed, _ in hurried[:3]] == [0, 0, 0]


async def test_a_gateway_that_greets_and_hangs_up_is_asked_less_and_less_often(
    follower: Follower,
    gateway: FakeGateway,
    hurried: list[tuple[int, bool]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gateway_link, "STEADY_SECONDS", 60.0)
    follower.follow(gateway.port)
    await follower.up()

    await gateway.stop()
    await follower.down()
    await follower.attempt()

    assert hurried[0] == (1, False)


async def test_after_a_refusal_a_connection_that_ends_is_no_refusal(
    follower: Follower, gateway: FakeGateway, hurried: list[tuple[int, bool]]
) -> None:
    follower.token = "wrong"
    follower.follow(gateway.port)
    await follower.attempt(2)
    follower.token = TOKEN
    await follower.up()
    hurried.clear()

    await gateway.crash()
    await follower.down()

    assert isinstance(await failure_of(follower.link.call("health")), GatewayUnreachableError)
    await follower.attempt()
    assert hurried[0] == (0, False)


@pytest.mark.parametrize(
    ("failures", "refused", "longest"),
    [
        (0, False, FIRST_PAUSE_SECONDS),
        (1, False, 2 * FIRST_PAUSE_SECONDS),
        (2, False, 4 * FIRST_PAUSE_SECONDS),
        (3, False, LONGEST_PAUSE_SECONDS),
        (1_000_000, False, LONGEST_PAUSE_SECONDS),
        (1, True, 2 * FIRST_PAUSE_SECONDS),
        (6, True, REFUSED_PAUSE_SECONDS),
        (1_000_000, True, REFUSED_PAUSE_SECONDS),
    ],
)
def test_a_pause_is_a_little_less_than_its_bound(failures: int, longest: float, *, refused: bool) -> None:
    pauses = [gateway_link._pause(failures, refused=refused) for _ in range(100)]

    assert 0.8 * longest <= min(pauses)
    assert max(pauses) <= longest
    assert len(set(pauses)) > 1
