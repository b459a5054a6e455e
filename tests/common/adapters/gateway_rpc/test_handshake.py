"""The handshake with a gateway."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from buddy_common import __version__
from buddy_common.adapters import gateway_rpc
from buddy_common.adapters.gateway_device import GatewayDevice
from buddy_common.adapters.gateway_rpc import SCOPES
from buddy_common.errors import GatewayRefusedError, GatewayUnreachableError
from common.adapters.gateway_rpc.connection import (
    CHALLENGE,
    SECONDS,
    fail_to_open,
    opened,
    scripted,
    tcp_server,
)
from fakes.gateway import (
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
from fakes.tls import self_signed


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


async def test_a_gateway_that_speaks_tls_only_lets_us_in(device: GatewayDevice, tmp_path: Path) -> None:
    secure = FakeGateway()
    secure.tls = await asyncio.to_thread(self_signed, tmp_path)
    async with running(secure), opened(secure.port, device) as client:
        assert client.connection.hello.methods


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
        await reader.read(1)  # plain first, then with TLS
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
