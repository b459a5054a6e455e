"""A client of our WebSockets, as a program would be one."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from proxy.conftest import TOKEN, Served


@asynccontextmanager
async def socket_to(proxy: Served, path: str, **options: Any) -> AsyncIterator[ClientConnection]:
    """Open `/v1/ws/{path}` with the token, or with other headers."""
    headers = options.pop("headers", {"Authorization": f"Bearer {TOKEN}"})
    url = f"ws://127.0.0.1:{proxy.port}/v1/ws/{path}"
    async with connect(
        url, additional_headers=headers, proxy=None, max_size=None, compression=None, **options
    ) as socket:
        yield socket


async def history(socket: ClientConnection) -> list[str]:
    """Return the lines of the first frame of a log."""
    frame = json.loads(await next_frame(socket))
    assert frame["type"] == "LOG_HISTORY"
    return list(frame["lines"])


async def next_frame(socket: ClientConnection) -> str:
    async with asyncio.timeout(5):
        frame = await socket.recv()
    assert isinstance(frame, str)
    return frame


class Typist:
    """Types into a terminal and reads what it shows."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.seen = ""

    async def type(self, text: str) -> None:
        await self.socket.send(text.encode())

    async def until(self, text: str, *, seconds: float = 8) -> str:
        """Return what was shown up to the text, which is then behind us."""
        async with asyncio.timeout(seconds):
            while text not in self.seen:
                try:
                    data = await self.socket.recv()
                except websockets.ConnectionClosed as exc:
                    raise AssertionError(self.seen) from exc
                assert isinstance(data, bytes)
                self.seen += data.decode()
        before, _, self.seen = self.seen.partition(text)
        return before

    async def end(self) -> tuple[int | None, str]:
        """Read to the end; return the code and the reason of the close frame."""
        async with asyncio.timeout(8):
            try:
                while True:
                    data = await self.socket.recv()
                    assert isinstance(data, bytes)
                    self.seen += data.decode()
            except websockets.ConnectionClosed as exc:
                return (exc.rcvd.code, exc.rcvd.reason) if exc.rcvd else (None, "")


async def refusal(proxy: Served, path: str, **options: Any) -> dict[str, Any]:
    """Return the body with which the upgrade is refused."""
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with socket_to(proxy, path, **options):
            pass
    response = refused.value.response
    body: dict[str, Any] = json.loads(response.body or b"")
    assert body["code"] == response.status_code
    return body
