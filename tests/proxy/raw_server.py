"""A server that answers byte by byte, as a gateway could: whole, cut off, or not at all."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from buddy_proxy.upstream import Upstream

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Raw:
    """A server that sends bytes as they are, an answer for each request, and counts connections."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.hang_up = False
        self.serve: Serve = self._serve
        self.url = ""

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self.serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            lower = head.lower()
            if b"transfer-encoding: chunked" in lower:
                self.bodies.append(await reader.readuntil(b"0\r\n\r\n"))
            elif b"content-length: " in lower:
                length = int(lower.partition(b"content-length: ")[2].partition(b"\r")[0])
                self.bodies.append(await reader.readexactly(length))
            writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
            await writer.drain()
            if self.hang_up:
                return


async def ask(upstream: Upstream, raw: Raw, method: str = "GET", **options: Any) -> tuple[int, bytes]:
    arguments = {"headers": [("Host", "x")], "body": None, "silence_seconds": 2.0} | options
    async with asyncio.timeout(5), upstream.request(method, raw.url, **arguments) as answer:
        return answer.status, await answer.whole(10_000_000)
