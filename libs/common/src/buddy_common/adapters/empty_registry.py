"""A registry of plugins on a free loopback port that has nothing, so that one is looked for elsewhere."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_LONGEST_REQUEST = 64 * 1024
_ASKED_SECONDS = 10.0
_NOTHING = (
    b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 21\r\n"
    b'Connection: close\r\n\r\n{"error":"Not found"}'
)


@asynccontextmanager
async def empty_registry() -> AsyncIterator[str]:
    """Answer 404 to everything for the length of the block; the value is the server's address."""
    server = await asyncio.start_server(_answer, "127.0.0.1", 0, limit=_LONGEST_REQUEST)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        async with asyncio.timeout(_ASKED_SECONDS):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(_NOTHING)
            await writer.drain()
    writer.close()
