"""One connection to a gateway as a test holds it, and servers that are no gateway."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from buddy_common.adapters.gateway_device import GatewayDevice
from buddy_common.adapters.gateway_rpc import GatewayConnection, open_gateway
from buddy_common.errors import GatewayRefusedError, GatewayUnreachableError
from fakes.gateway import (
    TOKEN,
    raw_server,
)
from fakes.ports import free_port

SECONDS = 5.0
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


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


def response(number: int, *, ok: bool = True, **more: Any) -> str:
    """Return the answer to the call of this number on its connection."""
    return json.dumps({"type": "res", "id": str(number), "ok": ok, **more})


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
