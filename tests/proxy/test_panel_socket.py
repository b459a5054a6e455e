"""The panel's WebSocket, in front of a gateway that checks signatures as strictly as the real one."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from fakes.gateway import TOKEN as GATEWAY_TOKEN
from fakes.gateway import FakeGateway
from proxy.conftest import TOKEN, Serve, Served, comes_true

COOKIE = {"Cookie": f"guardian_token={TOKEN}"}
SCOPES = ["operator.admin", "operator.read", "operator.write", "operator.approvals"]


@pytest.fixture
async def rpc() -> AsyncIterator[FakeGateway]:
    gateway = FakeGateway({"echo": lambda params: params})
    gateway.hello["auth"] = {"role": "operator", "scopes": SCOPES, "deviceToken": "a-secret-of-the-device"}
    await gateway.start()
    yield gateway
    await gateway.stop()


@pytest.fixture
async def panel(serve: Serve, rpc: FakeGateway) -> AsyncIterator[Served]:
    async with serve() as served:
        served.aim(rpc.port, GATEWAY_TOKEN)
        yield served


def opened(panel: Served, path: str = "/v1/proxy", **headers: str) -> connect:
    sent = {**COOKIE, "Origin": panel.url, **headers}
    return connect(
        f"ws://127.0.0.1:{panel.port}{path}",
        additional_headers=sent,
        proxy=None,
        compression=None,
        max_size=None,
    )


async def received(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(5):
        message: dict[str, Any] = json.loads(await socket.recv())
    return message


async def sign_in(socket: ClientConnection) -> dict[str, Any]:
    """Do what the panel does: sign with a key of its own, and with no token or a wrong one."""
    challenge = await received(socket)
    assert challenge["event"] == "connect.challenge"
    client = {"id": "openclaw-control-ui", "version": "1", "platform": "web", "mode": "webchat"}
    params = {
        "minProtocol": 3, "maxProtocol": 4, "client": client, "role": "operator", "scopes": SCOPES,
        "caps": [], "auth": {"deviceToken": "stale", "password": "x"},
        "device": {"id": "browser", "signature": "its own"},
    }  # fmt: skip
    await socket.send(json.dumps({"type": "req", "id": "c1", "method": "connect", "params": params}))
    return await received(socket)


async def test_the_panel_is_signed_in_and_never_sees_a_token(panel: Served, rpc: FakeGateway) -> None:
    async with opened(panel) as socket:
        hello = await sign_in(socket)
        assert hello["ok"] is True
        assert hello["payload"]["auth"] == {"role": "operator", "scopes": SCOPES}
        assert GATEWAY_TOKEN not in json.dumps(hello)

        question = {
            "type": "req",
            "id": "2",
            "method": "echo",
            "params": {"text": "嗨", "uuid": str(uuid.uuid4())},
        }
        await socket.send(json.dumps(question))
        assert (await received(socket))["payload"] == question["params"]

    (params,) = rpc.connects
    assert params["auth"] == {"token": GATEWAY_TOKEN}
    assert params["client"]["id"] == "openclaw-control-ui"
    (headers,) = rpc.headers
    assert headers["Origin"] == f"http://127.0.0.1:{rpc.port}"
    assert headers["Host"] == f"127.0.0.1:{rpc.port}"
    assert TOKEN not in str(headers)


async def test_frames_of_megabytes_and_binary_ones_pass(panel: Served, rpc: FakeGateway) -> None:
    async with opened(panel, "/v1/proxy/ws") as socket:
        await sign_in(socket)
        big = "x" * 900_000
        await socket.send(json.dumps({"type": "req", "id": "2", "method": "echo", "params": {"text": big}}))
        async with asyncio.timeout(5):
            answer = await socket.recv()
        assert json.loads(answer)["payload"]["text"] == big
        await rpc.send("y" * 20_000_000)
        async with asyncio.timeout(5):
            assert await socket.recv() == "y" * 20_000_000
        await rpc.send(b"\x00\xff")
        async with asyncio.timeout(5):
            assert await socket.recv() == b"\x00\xff"


async def test_a_restart_closes_with_its_own_code_so_that_the_panel_connects_again(
    panel: Served, rpc: FakeGateway
) -> None:
    async with opened(panel) as socket:
        await sign_in(socket)
        await rpc.stop("gateway restarting")
        assert (await received(socket))["event"] == "shutdown"
        with pytest.raises(ConnectionClosed) as closed:
            await received(socket)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012


async def test_a_gateway_that_is_killed_closes_the_socket_at_once(panel: Served, rpc: FakeGateway) -> None:
    async with opened(panel) as socket:
        await sign_in(socket)
        await rpc.crash()
        with pytest.raises(ConnectionClosed) as closed:
            await received(socket)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012


async def test_a_browser_that_leaves_closes_the_gateways_socket(panel: Served, rpc: FakeGateway) -> None:
    async with opened(panel) as socket:
        await sign_in(socket)
    async with asyncio.timeout(5):
        await rpc.left.wait()
    await comes_true(lambda: len(panel.wiring.running) == 0 and not panel.wiring.clients._open)


async def test_a_refusal_of_the_gateway_reaches_the_panel(panel: Served, rpc: FakeGateway) -> None:
    rpc.token = "another"
    async with opened(panel) as socket:
        answer = await sign_in(socket)
        assert answer["error"]["details"]["code"] == "AUTH_TOKEN_MISMATCH"
        with pytest.raises(ConnectionClosed) as closed:
            await received(socket)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Cookie": "guardian_token=wrong"}, 401),
        ({"Cookie": "", "Authorization": "Bearer wrong"}, 401),
    ],
)
async def test_strangers_and_other_sites_are_refused_before_the_gateway_is_dialled(
    panel: Served, rpc: FakeGateway, headers: dict[str, str], status: int
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with opened(panel, **headers):
            pass
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body or b"")["code"] == status
    assert rpc.headers == []


async def test_a_gateway_that_is_down_refuses_the_upgrade(panel: Served, rpc: FakeGateway) -> None:
    await rpc.stop()
    with pytest.raises(InvalidStatus) as refused:
        async with opened(panel):
            pass
    assert refused.value.response.status_code == 502


async def test_a_handshake_without_end_is_closed(panel: Served) -> None:
    async with opened(panel) as socket:
        await received(socket)
        await socket.send("x" * 100_000)
        with pytest.raises(ConnectionClosed) as closed:
            await received(socket)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


async def test_a_proxy_that_stops_closes_its_sockets(serve: Serve, rpc: FakeGateway) -> None:
    async with serve(drain_seconds=0) as panel:
        panel.aim(rpc.port, GATEWAY_TOKEN)
        async with opened(panel) as socket:
            await sign_in(socket)
            panel.wiring.stopping.tell()
            with pytest.raises(ConnectionClosed) as closed:
                await received(socket)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
