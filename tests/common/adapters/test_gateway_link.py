"""The held connection: it comes back whenever the gateway does, and says so."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from structlog.testing import capture_logs

from buddy_common.adapters import gateway_link, gateway_rpc
from buddy_common.adapters.gateway_device import GatewayDevice
from buddy_common.adapters.gateway_link import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    REFUSED_PAUSE_SECONDS,
    GatewayLink,
)
from buddy_common.adapters.gateway_rpc import Hello
from buddy_common.errors import (
    BuddyError,
    GatewayRefusedError,
    GatewayRpcError,
    GatewayUnreachableError,
    StateUnwritableError,
)
from fakes.gateway import NO_ANSWER, STARTING, TOKEN, FakeGateway, Release, raw_server, running

SECONDS = 5.0
DEVICE = GatewayDevice(Ed25519PrivateKey.generate())


@pytest.fixture
async def gateway() -> AsyncIterator[FakeGateway]:
    async with running(FakeGateway({"health": {"ok": True}})) as fake:
        yield fake


class Follower:
    """A link and all that it told."""

    def __init__(self) -> None:
        self.port = 0
        self.token: str | None = TOKEN
        self.trouble: list[Exception] = []  # of the next attempts to find out where the gateway is
        self.attempts: asyncio.Queue[int] = asyncio.Queue()
        self.changes: asyncio.Queue[Hello | None] = asyncio.Queue()
        self.events: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        self.link = GatewayLink(self._where, on_event=self._take, on_change=self._note)
        self.task: asyncio.Task[None] | None = None

    async def _where(self) -> tuple[int, str | None, GatewayDevice]:
        self.attempts.put_nowait(self.attempts.qsize())
        if self.trouble:
            raise self.trouble.pop(0)
        return self.port, self.token, DEVICE

    def _take(self, name: str, payload: dict[str, Any]) -> None:
        self.events.put_nowait((name, payload))

    def _note(self) -> None:
        self.changes.put_nowait(self.link.hello)

    def follow(self, port: int) -> None:
        """Keep a connection to this port from now on."""
        self.port = port
        self.task = asyncio.create_task(self.link.run_forever())

    async def up(self) -> Hello:
        """Return what the gateway said when it was there."""
        async with asyncio.timeout(SECONDS):
            hello = await self.changes.get()
        assert hello is not None
        return hello

    async def down(self) -> None:
        """Return when there is no connection any more."""
        async with asyncio.timeout(SECONDS):
            assert await self.changes.get() is None

    async def attempt(self, count: int = 1) -> None:
        """Return when this many more attempts have begun."""
        async with asyncio.timeout(SECONDS):
            for _ in range(count):
                await self.attempts.get()

    async def end(self) -> None:
        if self.task is not None:
            self.task.cancel()
            with suppress(asyncio.CancelledError):
                await self.task


@pytest.fixture
async def follower() -> AsyncIterator[Follower]:
    followed = Follower()
    yield followed
    await followed.end()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """No pauses; returns for each what it was computed from."""
    pauses: list[tuple[int, bool]] = []

    def pause(failures: int, *, refused: bool) -> float:
        pauses.append((failures, refused))
        return 0.001

    monkeypatch.setattr(gateway_link, "_pause", pause)
    monkeypatch.setattr(gateway_link, "STEADY_SECONDS", 0.0)
    # asyncio forgets a connection that it accepts in the moment in which its server is closed
    monkeypatch.setattr(gateway_rpc, "HANDSHAKE_SECONDS", 1.0)
    return pauses


async def failure_of(call: Awaitable[Any]) -> BuddyError:
    with pytest.raises(BuddyError) as failure:
        async with asyncio.timeout(SECONDS):
            await call
    return failure.value


# up


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


# not up


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


# down, and up again


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


# the pauses


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
