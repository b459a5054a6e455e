"""The held connection while it cannot be made: what a call says, and what is logged."""

from structlog.testing import capture_logs

from buddy_common.errors import GatewayRefusedError, GatewayUnreachableError, StateUnwritableError
from common.adapters.gateway_link.follower import Follower, failure_of
from fakes.gateway import STARTING, TOKEN, FakeGateway, raw_server


async def test_before_there_is_a_connection_nothing_can_be_called(follower: Follower) -> None:
    failure = await failure_of(follower.link.call("health"))

    assert isinstance(failure, GatewayUnreachableError)
    assert "Not connected" in failure.message
    assert follower.link.hello is None
    assert not follower.link.has("health")


async def test_without_a_gateway_a_call_says_why_and_nobody_is_told_of_a_change(
    follower: Follower, hurried: list[tuple[int, bool]]
) -> None:
    follower.trouble = [GatewayUnreachableError("No gateway listens.") for _ in range(100)]
    follower.follow(0)
    await follower.attempt(2)

    failure = await failure_of(follower.link.call("health"))

    assert failure.message == "No gateway listens."
    assert follower.changes.empty()


async def test_a_gateway_that_is_starting_is_tried_until_it_is_up(
    follower: Follower, gateway: FakeGateway, hurried: list[tuple[int, bool]]
) -> None:
    gateway.refusal = STARTING
    follower.follow(gateway.port)
    await follower.attempt(3)
    failure = await failure_of(follower.link.call("health"))
    assert isinstance(failure, GatewayUnreachableError)
    assert "gateway starting" in failure.message

    gateway.refusal = None

    await follower.up()
    assert {refused for _, refused in hurried} == {False}


async def test_a_refused_token_is_what_a_call_says_until_it_is_right(
    follower: Follower, gateway: FakeGateway, hurried: list[tuple[int, bool]]
) -> None:
    follower.token = "wrong"
    follower.follow(gateway.port)
    await follower.attempt(3)
    failure = await failure_of(follower.link.call("health"))
    assert isinstance(failure, GatewayRefusedError)
    assert failure.detail == {"code": "AUTH_TOKEN_MISMATCH"}
    assert follower.changes.empty()
    assert hurried[:2] == [(1, True), (2, True)]

    follower.token = TOKEN

    await follower.up()
    assert await follower.link.call("health") == {"ok": True}


async def test_a_refusal_is_logged_once_and_not_at_every_attempt(
    follower: Follower, gateway: FakeGateway, hurried: list[tuple[int, bool]]
) -> None:
    follower.token = "wrong"
    with capture_logs() as logs:
        follower.follow(gateway.port)
        await follower.attempt(5)

    assert [(entry["event"], entry["error"]) for entry in logs] == [("gateway_refuses_us", "gateway_refused")]
    assert "wrong" not in str(logs)


async def test_no_log_holds_the_token(follower: Follower, gateway: FakeGateway) -> None:
    with capture_logs() as logs:
        follower.follow(gateway.port)
        await follower.up()
        await gateway.stop()
        await follower.down()

    assert [entry["event"] for entry in logs] == ["gateway_connected", "gateway_connection_closed"]
    assert TOKEN not in str(logs)


async def test_a_key_that_cannot_be_read_is_told_and_tried_again(
    follower: Follower, gateway: FakeGateway, hurried: list[tuple[int, bool]]
) -> None:
    follower.trouble = [StateUnwritableError("The disk is full."), StateUnwritableError("The disk is full.")]
    with capture_logs() as logs:
        follower.follow(gateway.port)
        await follower.attempt(2)
        failure = await failure_of(follower.link.call("health"))
        await follower.up()

    assert isinstance(failure, StateUnwritableError)
    assert [entry["event"] for entry in logs] == ["gateway_refuses_us", "gateway_connected"]


async def test_something_else_on_the_port_does_not_end_the_link(
    follower: Follower, gateway: FakeGateway, hurried: list[tuple[int, bool]]
) -> None:
    async with raw_server(
        lambda socket: socket.send('{"payload": "hello, this is another program"}')
    ) as port:
        follower.follow(port)
        await follower.attempt(3)
        assert isinstance(await failure_of(follower.link.call("health")), GatewayUnreachableError)

        follower.port = gateway.port

        await follower.up()
