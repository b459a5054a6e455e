"""The held connection while there is a gateway: what it can, its calls and its events."""

import asyncio

import pytest

from buddy_common.errors import GatewayRpcError, GatewayUnreachableError
from common.adapters.gateway_link.follower import SECONDS, Follower, failure_of
from fakes.gateway import NO_ANSWER, FakeGateway, Release, running


@pytest.mark.parametrize("release", Release)
async def test_a_link_says_when_there_is_a_gateway_and_what_it_can(
    follower: Follower, release: Release
) -> None:
    async with running(FakeGateway(release=release)) as gateway:
        follower.follow(gateway.port)
        hello = await follower.up()

        assert hello.version == release.value
        assert follower.link.hello is hello
        assert follower.link.has("agents.list")
        assert follower.link.has("plugins.list") is (release is Release.NEW)
        assert not follower.link.has("no.such")


async def test_a_call_goes_to_the_gateway_and_back(follower: Follower, gateway: FakeGateway) -> None:
    gateway.methods["agents.list"] = lambda params: {"asked": params}
    follower.follow(gateway.port)
    await follower.up()

    assert await follower.link.call("health") == {"ok": True}
    assert await follower.link.call("agents.list", {"limit": 1}) == {"asked": {"limit": 1}}


async def test_events_are_handed_on(follower: Follower, gateway: FakeGateway) -> None:
    follower.follow(gateway.port)
    await follower.up()

    await gateway.push("config.changed", {"hash": "h"})

    async with asyncio.timeout(SECONDS):
        assert await follower.events.get() == ("config.changed", {"hash": "h"})


async def test_a_method_that_the_gateway_does_not_know_is_not_even_asked_for(
    follower: Follower, gateway: FakeGateway
) -> None:
    follower.follow(gateway.port)
    await follower.up()

    failure = await failure_of(follower.link.call("no.such"))

    assert isinstance(failure, GatewayRpcError)
    assert failure.code == "UNKNOWN_METHOD"
    assert gateway.calls.empty()


async def test_a_refused_call_leaves_the_connection_alone(follower: Follower, gateway: FakeGateway) -> None:
    follower.follow(gateway.port)
    await follower.up()

    failure = await failure_of(follower.link.call("agents.list"))  # in its hello, but the fake has no answer

    assert isinstance(failure, GatewayRpcError)
    assert failure.code == "INVALID_REQUEST"
    assert await follower.link.call("health") == {"ok": True}


async def test_a_call_has_a_deadline(follower: Follower, gateway: FakeGateway) -> None:
    gateway.methods["agents.list"] = NO_ANSWER
    follower.follow(gateway.port)
    await follower.up()

    failure = await failure_of(follower.link.call("agents.list", seconds=0.05))

    assert isinstance(failure, GatewayUnreachableError)
    assert "did not answer `agents.list`" in failure.message
    assert await follower.link.call("health") == {"ok": True}
