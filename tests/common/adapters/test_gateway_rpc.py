"""One connection to a gateway: the handshake, calls, events and the end of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from buddy_common import __version__
from buddy_common.adapters import gateway_rpc
from buddy_common.adapters.gateway_device import GatewayDevice
from buddy_common.adapters.gateway_rpc import SCOPES, GatewayConnection, open_gateway
from buddy_common.errors import GatewayRefusedError, GatewayRpcError, GatewayUnreachableError
from fakes.gateway import (
    NO_ANSWER,
    STARTING,
    TOKEN,
    FakeGateway,
    Refusal,
    Release,
    raw_server,
    recorded_hello,
    running,
)
from fakes.ports import free_port

SECONDS = 5.0
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def device() -> GatewayDevice:
    return GatewayDevice(Ed25519PrivateKey.generate())


@pytest.fixture
async def gateway() -> AsyncIterator[FakeGateway]:
    async with running(FakeGateway()) as fake:
        yield fake


class Client:
    """A connection that listens, and what it was told."""

    def __init__(
        self, connection: GatewayConnection, events: asyncio.Queue[tuple[str, dict[str, Any]]]
    ) -> None:
        self.connection = connection
        self.events = events
        self.listening = asyncio.create_task(connection.listen())

    async def call(
        self, method: str, params: dict[str, Any] | None = None, *, seconds: float = SECONDS
    ) -> Any:
        return await self.connection.call(method, params, seconds=seconds)

    async def ended(self) -> None:
        async with asyncio.timeout(SECONDS):
            await self.listening


@asynccontextmanager
async def opened(port: int, device: GatewayDevice, *, token: str | None = TOKEN) -> AsyncIterator[Client]:
    """Connect and listen."""
    events: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()

    def take(name: str, payload: dict[str, Any]) -> None:
        events.put_nowait((name, payload))

    async with (
        asyncio.timeout(SECONDS),
        open_gateway(port, token=token, device=device, on_event=take) as connection,
    ):
        client = Client(connection, events)
        try:
            yield client
        finally:
            client.listening.cancel()
            await asyncio.wait([client.listening])


async def fail_to_open(port: int, device: GatewayDevice, *, token: str | None = TOKEN) -> Exception:
    """Return why it does not open."""
    with pytest.raises((GatewayRefusedError, GatewayUnreachableError)) as failure:
        async with opened(port, device, token=token):
            pass
    return failure.value


@asynccontextmanager
async def tcp_server(talk: Talk) -> AsyncIterator[int]:
    """Something that does not speak WebSocket; returns its port."""
    port = free_port()
    async with await asyncio.start_server(talk, "127.0.0.1", port):
        yield port


# the handshake


@pytest.mark.parametrize("release", Release)
async def test_both_generations_let_us_in_and_say_what_they_can(
    release: Release, device: GatewayDevice
) -> None:
    recorded = recorded_hello(release)
    async with running(FakeGateway(release=release)) as gateway, opened(gateway.port, device) as client:
        hello = client.connection.hello

    assert (hello.protocol, hello.version) == (recorded["protocol"], release.value)
    assert hello.boot_id == recorded["server"].get("bootId")
    assert hello.methods == set(recorded["features"]["methods"])
    assert hello.events == set(recorded["features"]["events"])
    assert hello.scopes == set(recorded["auth"]["scopes"])
    assert {"agents.list", "skills.status"} <= hello.methods
    assert set(SCOPES) <= hello.scopes
    assert hello.snapshot == {}


async def test_a_hello_that_leaves_everything_out_is_one_of_the_older_generation(
    gateway: FakeGateway, device: GatewayDevice
) -> None:
    gateway.hello = {"protocol": 4}
    async with opened(gateway.port, device) as client:
        hello = client.connection.hello

    assert (hello.version, hello.boot_id, hello.methods, hello.scopes) == ("", None, frozenset(), frozenset())


async def test_we_say_who_we_are_and_ask_for_what_we_need(
    gateway: FakeGateway, device: GatewayDevice
) -> None:
    async with opened(gateway.port, device):
        pass

    (params,) = gateway.connects
    assert (params["minProtocol"], params["maxProtocol"]) == (3, 4)
    assert (params["client"]["id"], params["client"]["mode"]) == ("gateway-client", "backend")
    assert (params["client"]["version"], params["role"]) == (__version__, "operator")
    assert params["scopes"] == list(SCOPES)
    assert params["auth"] == {"token": TOKEN}


async def test_we_look_like_a_local_program_and_not_like_a_browser(
    gateway: FakeGateway, device: GatewayDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An Origin or a Forwarded header would cost us every scope; a proxy would add the latter."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    async with opened(gateway.port, device):
        pass

    (headers,) = gateway.headers
    names = {name.lower() for name in headers}
    assert not {name for name in names if name == "origin" or "forwarded" in name}
    assert "sec-websocket-extensions" not in names
    assert headers["User-Agent"] == f"openclaw-buddy/{__version__}"


async def test_a_gateway_without_a_token_lets_us_in_without_one(
    gateway: FakeGateway, device: GatewayDevice
) -> None:
    gateway.token = None
    async with opened(gateway.port, device, token=None):
        pass

    assert gateway.connects[0]["auth"] == {}


async def test_the_connection_is_closed_with_the_block(gateway: FakeGateway, device: GatewayDevice) -> None:
    async with opened(gateway.port, device):
        assert len(gateway.sockets) == 1

    async with asyncio.timeout(SECONDS):
        await gateway.left.wait()
    assert gateway.sockets == set()


async def test_the_connection_is_closed_when_the_block_fails(
    gateway: FakeGateway, device: GatewayDevice
) -> None:
    with pytest.raises(LookupError):
        async with opened(gateway.port, device):
            raise LookupError

    async with asyncio.timeout(SECONDS):
        await gateway.left.wait()


async def test_a_port_that_nobody_listens_on_is_unreachable(device: GatewayDevice) -> None:
    port = free_port()

    failure = await fail_to_open(port, device)

    assert isinstance(failure, GatewayUnreachableError)
    assert f"port {port}" in str(failure)


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "503 Service Unavailable"])
async def test_an_answer_that_is_no_websocket_is_unreachable(device: GatewayDevice, status: str) -> None:
    """A gateway that drains answers the upgrade with 503."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()
        await writer.wait_closed()

    async with tcp_server(talk) as port:
        assert isinstance(await fail_to_open(port, device), GatewayUnreachableError)


@pytest.mark.parametrize("answer", [b"", b"220 smtp.example ESMTP\r\n", b"\x00" * 100])
async def test_another_protocol_is_unreachable(device: GatewayDevice, answer: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    async with tcp_server(talk) as port:
        assert isinstance(await fail_to_open(port, device), GatewayUnreachableError)


async def test_one_that_accepts_and_says_nothing_is_unreachable_after_the_deadline(
    device: GatewayDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is stopped, or computes: the kernel accepts for it."""
    monkeypatch.setattr(gateway_rpc, "HANDSHAKE_SECONDS", 0.1)
    given_up = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        given_up.set()
        writer.close()

    async with tcp_server(talk) as port:
        failure = await fail_to_open(port, device)
        async with asyncio.timeout(SECONDS):
            await given_up.wait()

    assert isinstance(failure, GatewayUnreachableError)
    assert "No gateway answers" in str(failure)


async def test_one_that_upgrades_and_says_nothing_is_unreachable_after_the_deadline(
    gateway: FakeGateway, device: GatewayDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_rpc, "HANDSHAKE_SECONDS", 0.1)
    gateway.silent = True

    failure = await fail_to_open(gateway.port, device)

    assert isinstance(failure, GatewayUnreachableError)
    assert "accepts, but does not answer" in str(failure)


async def test_one_that_challenges_and_then_says_nothing_is_unreachable_after_the_deadline(
    device: GatewayDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_rpc, "HANDSHAKE_SECONDS", 0.1)

    async with scripted(CHALLENGE) as port:
        failure = await fail_to_open(port, device)

    assert isinstance(failure, GatewayUnreachableError)
    assert "accepts, but does not answer" in str(failure)


@pytest.mark.parametrize("after", ["upgrade", "challenge"])
async def test_one_that_hangs_up_during_the_handshake_is_unreachable(
    device: GatewayDevice, after: str
) -> None:
    async def talk(socket: ServerConnection) -> None:
        if after == "challenge":
            await socket.send(CHALLENGE)
            await socket.recv()
        socket.transport.abort()

    async with raw_server(talk) as port:
        failure = await fail_to_open(port, device)

    assert isinstance(failure, GatewayUnreachableError)
    assert "does not answer" in str(failure)


@pytest.mark.parametrize(
    ("token", "code"),
    [("wrong", "AUTH_TOKEN_MISMATCH"), (None, "AUTH_TOKEN_MISSING"), ("", "AUTH_TOKEN_MISSING")],
)
async def test_a_token_that_is_refused_is_told_with_the_gateways_own_code(
    gateway: FakeGateway, device: GatewayDevice, token: str | None, code: str
) -> None:
    failure = await fail_to_open(gateway.port, device, token=token)

    assert isinstance(failure, GatewayRefusedError)
    assert failure.detail == {"code": code}
    assert "gateway token mismatch" in failure.message
    assert gateway.sockets == set()


async def test_a_gateway_of_another_protocol_refuses_us(gateway: FakeGateway, device: GatewayDevice) -> None:
    gateway.hello["protocol"] = 5

    failure = await fail_to_open(gateway.port, device)

    assert isinstance(failure, GatewayRefusedError)
    assert failure.detail == {"code": "PROTOCOL_MISMATCH"}


async def test_a_device_that_waits_for_approval_is_refused(
    gateway: FakeGateway, device: GatewayDevice
) -> None:
    gateway.refusal = Refusal(
        "NOT_PAIRED", "pairing required", {"code": "PAIRING_REQUIRED", "requestId": "r"}
    )

    failure = await fail_to_open(gateway.port, device)

    assert isinstance(failure, GatewayRefusedError)
    assert failure.detail == {"code": "PAIRING_REQUIRED"}


async def test_a_gateway_that_is_only_starting_is_unreachable_and_not_refusing(
    gateway: FakeGateway, device: GatewayDevice
) -> None:
    gateway.refusal = STARTING

    failure = await fail_to_open(gateway.port, device)

    assert isinstance(failure, GatewayUnreachableError)
    assert "gateway starting" in str(failure)


CHALLENGE = json.dumps({"type": "event", "event": "connect.challenge", "payload": {"nonce": "n", "ts": 1}})


@asynccontextmanager
async def scripted(challenge: str | bytes, answer: str | bytes | None = None) -> AsyncIterator[int]:
    """A server that says these two things, then listens until the other side leaves."""

    async def talk(socket: ServerConnection) -> None:
        try:
            await socket.send(challenge)
            await socket.recv()
            if answer is not None:
                await socket.send(answer)
            await socket.wait_closed()
        except ConnectionClosed:
            pass

    async with raw_server(talk) as port:
        yield port


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": "INVALID_REQUEST", "message": "no"}, "INVALID_REQUEST"),
        ({"code": "INVALID_REQUEST", "details": "text"}, "INVALID_REQUEST"),
        ({"code": "INVALID_REQUEST", "details": {"code": None}}, "INVALID_REQUEST"),
        ({"retryable": "true"}, "unknown"),
        ({}, "unknown"),
        ("text", "unknown"),
        (None, "unknown"),
    ],
)
async def test_a_refusal_of_any_shape_is_a_refusal(device: GatewayDevice, error: Any, code: str) -> None:
    answer = json.dumps({"type": "res", "id": "connect", "ok": False, "error": error})

    async with scripted(CHALLENGE, answer) as port:
        failure = await fail_to_open(port, device)

    assert isinstance(failure, GatewayRefusedError)
    assert failure.detail == {"code": code}


@pytest.mark.parametrize(
    "challenge",
    [
        '{"payload": "text"}',
        '{"payload": [1]}',
        '{"payload": {"nonce": "n", "ts": "soon"}}',
        '{"payload": {"nonce": "n", "ts": null}}',
        '{"payload": {"nonce": "n", "ts": {}}}',
    ],
)
async def test_a_challenge_of_another_shape_is_no_gateway(device: GatewayDevice, challenge: str) -> None:
    async with scripted(challenge) as port:
        assert isinstance(await fail_to_open(port, device), GatewayUnreachableError)


@pytest.mark.parametrize(
    "challenge", ["no JSON", "[1]", "5", b"\xff\xfe", "{}", pytest.param("[" * 50_000, id="deep")]
)
async def test_a_challenge_that_says_nothing_is_refused_by_a_gateway(
    device: GatewayDevice, challenge: str | bytes
) -> None:
    refusal = {"code": "INVALID_REQUEST", "details": {"code": "DEVICE_AUTH_NONCE_MISMATCH"}}

    async with scripted(challenge, json.dumps({"ok": False, "error": refusal})) as port:
        failure = await fail_to_open(port, device)

    assert isinstance(failure, GatewayRefusedError)


@pytest.mark.parametrize(
    "payload",
    [
        "text",
        [1],
        {"protocol": "four"},
        {"server": "text"},
        {"features": ["text"]},
        {"features": {"methods": 5}},
        {"features": {"events": [{}]}},
        {"auth": "text"},
    ],
)
async def test_a_hello_of_another_shape_is_no_gateway(device: GatewayDevice, payload: Any) -> None:
    async with scripted(CHALLENGE, json.dumps({"ok": True, "payload": payload})) as port:
        failure = await fail_to_open(port, device)

    assert isinstance(failure, GatewayUnreachableError)
    assert f"port {port}" in str(failure)


@pytest.mark.parametrize("answer", ["no JSON", "[1]", "5", b"\xff", "{}", '{"ok": "true"}', '{"ok": 1}'])
async def test_an_answer_that_does_not_say_ok_is_a_refusal(
    device: GatewayDevice, answer: str | bytes
) -> None:
    async with scripted(CHALLENGE, answer) as port:
        failure = await fail_to_open(port, device)

    assert isinstance(failure, GatewayRefusedError)
    assert "no reason given" in failure.message


# calls


async def test_a_call_returns_the_payload(gateway: FakeGateway, device: GatewayDevice) -> None:
    gateway.methods = {"agents.list": lambda params: {"asked": params}, "health": None, "tick": 5}

    async with opened(gateway.port, device) as client:
        assert await client.call("agents.list", {"limit": 5}) == {"asked": {"limit": 5}}
        assert await client.call("agents.list") == {"asked": {}}
        assert await client.call("health") is None
        assert await client.call("tick") == 5


async def test_calls_at_once_get_each_its_own_answer(gateway: FakeGateway, device: GatewayDevice) -> None:
    gateway.methods = {"echo": lambda params: params["number"]}

    async with opened(gateway.port, device) as client:
        answers = await asyncio.gather(*(client.call("echo", {"number": number}) for number in range(50)))

    assert answers == list(range(50))


async def test_answers_may_come_in_another_order(gateway: FakeGateway, device: GatewayDevice) -> None:
    gateway.methods = {"slow": NO_ANSWER, "fast": "first"}

    async with opened(gateway.port, device) as client:
        slow = asyncio.create_task(client.call("slow"))
        await gateway.calls.get()
        assert await client.call("fast") == "first"
        assert not slow.done()
        await gateway.send(response(1, payload="second"))
        assert await slow == "second"


def response(number: int, *, ok: bool = True, **more: Any) -> str:
    """Return the answer to the call of this number on its connection."""
    return json.dumps({"type": "res", "id": str(number), "ok": ok, **more})


async def test_a_large_answer_fits(gateway: FakeGateway, device: GatewayDevice) -> None:
    gateway.methods = {"config.schema": "x" * 3_000_000}

    async with opened(gateway.port, device) as client:
        assert len(await client.call("config.schema")) == 3_000_000


async def test_an_unknown_method_is_told_in_the_gateways_words(
    gateway: FakeGateway, device: GatewayDevice
) -> None:
    async with opened(gateway.port, device) as client:
        with pytest.raises(GatewayRpcError) as failure:
            await client.call("no.such")

    assert (failure.value.code, failure.value.reason) == ("INVALID_REQUEST", "unknown method: no.such")
    assert failure.value.detail == {"method": "no.such", "code": "INVALID_REQUEST"}


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        ({"code": "FORBIDDEN", "message": "missing scope"}, "FORBIDDEN", "missing scope"),
        ({"code": "UNAVAILABLE", "message": "later", "retryable": True}, "UNAVAILABLE", "later"),
        ({}, "UNKNOWN", "no reason given"),
        ("text", "UNKNOWN", "no reason given"),
        (None, "UNKNOWN", "no reason given"),
    ],
)
async def test_an_error_of_any_shape_is_an_rpc_error(
    gateway: FakeGateway, device: GatewayDevice, error: Any, code: str, reason: str
) -> None:
    gateway.methods = {"health": NO_ANSWER}

    async with opened(gateway.port, device) as client:
        call = asyncio.create_task(client.call("health"))
        await gateway.calls.get()
        await gateway.send(response(1, ok=False, error=error))
        with pytest.raises(GatewayRpcError) as failure:
            await call

    assert (failure.value.code, failure.value.reason) == (code, reason)
    assert "`health`" in failure.value.message


async def test_an_answer_that_does_not_say_ok_is_an_error(
    gateway: FakeGateway, device: GatewayDevice
) -> None:
    gateway.methods = {"health": NO_ANSWER}

    async with opened(gateway.port, device) as client:
        call = asyncio.create_task(client.call("health"))
        await gateway.calls.get()
        await gateway.send('{"type": "res", "id": "1", "payload": 5}')
        with pytest.raises(GatewayRpcError):
            await call


async def test_a_call_that_is_not_answered_ends_at_its_deadline(
    gateway: FakeGateway, device: GatewayDevice
) -> None:
    gateway.methods = {"slow": NO_ANSWER, "fast": 1}

    async with opened(gateway.port, device) as client:
        with pytest.raises(GatewayUnreachableError, match="did not answer `slow`"):
            await client.call("slow", seconds=0.05)
        await gateway.send(response(1, payload="too late"))
        assert await client.call("fast") == 1


async def test_a_call_that_cannot_even_be_sent_ends_at_its_deadline(device: GatewayDevice) -> None:
    """The gateway reads no more, so that the buffers between it and us are full."""
    async with deaf_server() as (port, sockets), opened(port, device) as client:
        with pytest.raises(GatewayUnreachableError, match="did not answer `big`"):
            await client.call("big", {"text": "x" * 20_000_000}, seconds=0.2)
        (await sockets.get()).transport.abort()


async def test_a_call_whose_caller_leaves_is_forgotten(gateway: FakeGateway, device: GatewayDevice) -> None:
    gateway.methods = {"slow": NO_ANSWER, "fast": 1}

    async with opened(gateway.port, device) as client:
        call = asyncio.create_task(client.call("slow"))
        await gateway.calls.get()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await gateway.send(response(1, payload="too late"))
        assert await client.call("fast") == 1
        assert client.connection._waiting == {}


@pytest.mark.parametrize("end", ["stop", "crash"])
async def test_a_call_that_waits_learns_of_the_end_at_once(
    gateway: FakeGateway, device: GatewayDevice, end: str
) -> None:
    gateway.methods = {"slow": NO_ANSWER}

    async with opened(gateway.port, device) as client:
        calls = [asyncio.create_task(client.call("slow", seconds=60)) for _ in range(3)]
        for _ in calls:
            await gateway.calls.get()
        await (gateway.stop() if end == "stop" else gateway.crash())
        failures = await asyncio.gather(*calls, return_exceptions=True)

    assert all(isinstance(failure, GatewayUnreachableError) for failure in failures)
    assert {str(failure) for failure in failures} == {"The gateway closed the connection."}


async def test_a_call_that_waits_learns_that_nobody_listens_any_more(
    gateway: FakeGateway, device: GatewayDevice
) -> None:
    gateway.methods = {"slow": NO_ANSWER}

    async with opened(gateway.port, device) as client:
        call = asyncio.create_task(client.call("slow", seconds=60))
        await gateway.calls.get()
        client.listening.cancel()
        with pytest.raises(GatewayUnreachableError):
            await call


async def test_a_call_after_the_end_is_unreachable(gateway: FakeGateway, device: GatewayDevice) -> None:
    async with opened(gateway.port, device) as client:
        await gateway.stop()
        await client.ended()
        with pytest.raises(GatewayUnreachableError, match="closed the connection during `health`"):
            await client.call("health")


@asynccontextmanager
async def deaf_server() -> AsyncIterator[tuple[int, asyncio.Queue[ServerConnection]]]:
    """A gateway that lets everybody in and then reads nothing any more."""
    sockets: asyncio.Queue[ServerConnection] = asyncio.Queue()
    leave = asyncio.Event()

    async def talk(socket: ServerConnection) -> None:
        await socket.send(CHALLENGE)
        await socket.recv()
        socket.transport.pause_reading()
        await socket.send('{"ok": true, "payload": {"protocol": 4}}')
        sockets.put_nowait(socket)
        await leave.wait()
        socket.transport.abort()

    async with raw_server(talk) as port:
        try:
            yield port, sockets
        finally:
            leave.set()


async def test_a_call_that_is_being_sent_when_the_connection_ends_leaves_no_noise(
    device: GatewayDevice,
) -> None:
    loop, noise = asyncio.get_running_loop(), list[str]()
    loop.set_exception_handler(lambda _loop, context: noise.append(context["message"]))

    async with deaf_server() as (port, sockets), opened(port, device) as client:
        call = asyncio.create_task(client.call("big", {"text": "x" * 20_000_000}, seconds=60))
        (await sockets.get()).transport.abort()
        with pytest.raises(GatewayUnreachableError):
            await call
        await client.ended()

    del call
    assert noise == []


# events, and what else comes


async def test_events_are_handed_on_in_order(gateway: FakeGateway, device: GatewayDevice) -> None:
    async with opened(gateway.port, device) as client:
        await gateway.push("tick", {"ts": 1})
        await gateway.push("health", {"ok": True})
        await gateway.push("heartbeat")
        await gateway.push("odd", ["no object"])
        heard = [await client.events.get() for _ in range(4)]

    assert heard == [("tick", {"ts": 1}), ("health", {"ok": True}), ("heartbeat", {}), ("odd", {})]


async def test_events_between_a_call_and_its_answer_are_handed_on(
    gateway: FakeGateway, device: GatewayDevice
) -> None:
    gateway.methods = {"slow": NO_ANSWER}

    async with opened(gateway.port, device) as client:
        call = asyncio.create_task(client.call("slow"))
        await gateway.calls.get()
        await gateway.push("tick", {"ts": 1})
        await gateway.send(response(1, payload="done"))
        assert await call == "done"
        assert client.events.get_nowait() == ("tick", {"ts": 1})


@pytest.mark.parametrize(
    "frame",
    [
        "no JSON",
        "",
        b"",
        b"\xff\xfe",
        "[1]",
        "5",
        "null",
        pytest.param("[" * 50_000, id="deep"),
        "{}",
        '{"type": "hello"}',
        '{"type": "res"}',
        '{"type": "res", "id": ["1"], "ok": true}',
        '{"type": "res", "id": "999", "ok": true, "payload": 5}',
        '{"type": "event"}',
    ],
)
async def test_frames_that_mean_nothing_do_no_harm(
    gateway: FakeGateway, device: GatewayDevice, frame: str | bytes
) -> None:
    gateway.methods = {"health": 1}

    async with opened(gateway.port, device) as client:
        await gateway.send(frame)
        assert await client.call("health") == 1
        assert not client.listening.done()


async def test_a_binary_frame_is_read_as_text_is(gateway: FakeGateway, device: GatewayDevice) -> None:
    async with opened(gateway.port, device) as client:
        await gateway.send(b'{"type": "event", "event": "tick", "payload": {"ts": 1}}')
        assert await client.events.get() == ("tick", {"ts": 1})


async def test_of_two_answers_to_one_call_the_first_counts(
    gateway: FakeGateway, device: GatewayDevice
) -> None:
    gateway.methods = {"agent": NO_ANSWER, "health": 1}

    async with opened(gateway.port, device) as client:
        call = asyncio.create_task(client.call("agent"))
        await gateway.calls.get()
        await gateway.send(response(1, payload="accepted"))
        await gateway.send(response(1, payload="done"))
        assert await call == "accepted"
        assert await client.call("health") == 1


async def test_a_frame_that_is_too_large_ends_the_connection(
    gateway: FakeGateway, device: GatewayDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_rpc, "MAX_FRAME_BYTES", 100_000)
    gateway.methods = {"big": "x" * 200_000}

    async with opened(gateway.port, device) as client:
        with pytest.raises(GatewayUnreachableError):
            await client.call("big")
        await client.ended()


# the end


async def test_the_last_words_are_kept(gateway: FakeGateway, device: GatewayDevice) -> None:
    async with opened(gateway.port, device) as client:
        assert client.connection.shutdown is None
        await gateway.stop("gateway restarting", restartExpectedMs=1500)
        await client.ended()

        words = {"reason": "gateway restarting", "restartExpectedMs": 1500}
        assert client.connection.shutdown == words
        assert client.events.get_nowait() == ("shutdown", words)


async def test_a_gateway_that_is_killed_has_no_last_words(
    gateway: FakeGateway, device: GatewayDevice
) -> None:
    async with opened(gateway.port, device) as client:
        await gateway.crash()
        await client.ended()

        assert client.connection.shutdown is None
        assert client.events.empty()


async def test_a_gateway_that_answers_no_ping_is_gone(
    device: GatewayDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process is stopped: the connection stands, and nothing comes any more."""
    monkeypatch.setattr(gateway_rpc, "PING_SECONDS", 0.05)
    monkeypatch.setattr(gateway_rpc, "SILENCE_SECONDS", 0.1)

    async with deaf_server() as (port, _), opened(port, device) as client:
        await client.ended()
