"""The held connection comes back whenever the gateway does, and says so."""

import asyncio

import pytest
from structlog.testing import capture_logs

from buddy_common.errors import GatewayUnreachableError
from common.adapters.gateway_link.follower import SECONDS, Follower, failure_of
from fakes.gateway import NO_ANSWER, FakeGateway, running


@pytest.mark.parametrize("end", ["stop", "crash"])
async def test_a_link_says_at_once_when_the_gateway_is_gone(
    follower: Follower, gateway: FakeGateway, end: str
) -> None:
    follower.follow(gateway.port)
    await follower.up()

    await (gateway.stop() if end == "stop" else gateway.crash())
    await follower.down()

    assert follower.link.hello is None
    assert not follower.link.has("health")
    failure = await failure_of(follower.link.call("health"))
    assert isinstance(failure, GatewayUnreachableError)


async def test_a_call_that_waits_when_the_gateway_goes_learns_of_it(
    follower: Follower, gateway: FakeGateway
) -> None:
    gateway.methods["agents.list"] = NO_ANSWER
    follower.follow(gateway.port)
    await follower.up()
    call = asyncio.create_task(follower.link.call("agents.list", seconds=60))
    async with asyncio.timeout(SECONDS):
        await gateway.calls.get()

    await gateway.crash()

    assert isinstance(await failure_of(call), GatewayUnreachableError)


async def test_what_a_gateway_says_at_its_end_is_logged(follower: Follower, gateway: FakeGateway) -> None:
    follower.follow(gateway.port)
    await follower.up()

    with capture_logs() as logs:
        await gateway.stop("gateway restarting", restartExpectedMs=1500)
        await follower.down()

    assert [entry["said"] for entry in logs] == ["gateway restarting"]
    async with asyncio.timeout(SECONDS):
        assert (await follower.events.get())[0] == "shutdown"


async def test_the_connection_comes_back_with_the_gateway_on_the_same_port(
    follower: Follower, gateway: FakeGateway
) -> None:
    follower.follow(gateway.port)
    first = await follower.up()

    for turn in range(2):
        await gateway.stop("gateway restarting")
        await follower.down()
        gateway.hello["server"]["bootId"] = f"boot-{turn}"
        await gateway.start()
        hello = await follower.up()

        assert hello.boot_id == f"boot-{turn}" != first.boot_id
        assert await follower.link.call("health") == {"ok": True}


async def test_the_gateway_is_looked_for_anew_before_each_attempt(
    follower: Follower, gateway: FakeGateway
) -> None:
    """Its port and its token may be others after a restart."""
    follower.follow(gateway.port)
    await follower.up()
    async with running(FakeGateway()) as other:
        other.token = "another"
        follower.port, follower.token = other.port, "another"
        await gateway.crash()
        await follower.down()

        await follower.up()

        assert len(other.sockets) == 1


async def test_a_cancelled_link_closes_its_connection_and_says_so(
    follower: Follower, gateway: FakeGateway
) -> None:
    follower.follow(gateway.port)
    await follower.up()

    await follower.end()

    assert follower.changes.get_nowait() is None
    assert follower.link.hello is None
    async with asyncio.timeout(SECONDS):
        await gateway.left.wait()


async def test_a_link_can_be_cancelled_while_it_connects(
    follower: Follower, gateway: FakeGateway, hurried: list[tuple[int, bool]]
) -> None:
    gateway.silent = True
    follower.follow(gateway.port)
    await follower.attempt()

    async with asyncio.timeout(SECONDS):
        await follower.end()

    assert follower.changes.empty()
    assert follower.link.hello is None
