"""What `bench.proxy` asks of each place: JSON, streams at a pace and at full speed, a download, echoes."""

import asyncio
import json
import time
from dataclasses import dataclass

import psutil

from bench.http_load import load
from bench.stream_upstream import BIG

TOKEN = "a-token-for-the-bench-0123456789abcdef"  # noqa: S105 - of a server that ends with the bench
CHAT = "/v1/openclaw/chat/completions"


@dataclass(frozen=True)
class Place:
    """One of the three: what is asked, and whose CPU time counts."""

    name: str
    port: int
    process: psutil.Process

    def cpu(self) -> float:
        """Return the CPU seconds that it and its children have used."""
        family = [self.process, *self.process.children(recursive=True)]
        return sum(sum(each.cpu_times()[:2]) for each in family)


async def small_json(place: Place, seconds: float) -> float:
    url = f"http://127.0.0.1:{place.port}/v1/proxy/json"
    return (await load(url, token=TOKEN, clients=32, requests=int(1200 * seconds))).per_second


async def stream(place: Place, *, chunks: int, pause: float) -> list[tuple[float, bytes]]:
    """Read one chat; return when each piece came, and the piece."""
    body = json.dumps(
        {
            "model": "openclaw/main",
            "stream": True,
            "messages": [],
            "bench_chunks": chunks,
            "bench_seconds": pause,
        }
    ).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", place.port, limit=2**22)
    writer.write(
        f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head:
        raise RuntimeError(head)
    found = []
    tail = b""
    while not tail.endswith(b"0\r\n\r\n"):
        piece = await reader.read(2**18)
        if not piece:
            raise RuntimeError("the stream was cut")
        found.append((time.perf_counter(), piece))
        tail = (tail + piece)[-16:]
    writer.close()
    return found


async def paced(place: Place, *, streams: int, chunks: int) -> list[float]:
    """Return the milliseconds that each chunk took, by the time that stands in it."""
    all_found = await asyncio.gather(*(stream(place, chunks=chunks, pause=0.01) for _ in range(streams)))
    times: list[float] = []
    for found in all_found:
        for came, piece in found:
            sent = (float(part.partition(b'"')[0]) for part in piece.split(b'"content":"')[1:])
            times.extend((came - each) * 1000 for each in sent)
    return times


async def saturated(place: Place, *, streams: int = 32, chunks: int = 3000) -> float:
    began = time.perf_counter()
    await asyncio.gather(*(stream(place, chunks=chunks, pause=0) for _ in range(streams)))
    return streams * chunks / (time.perf_counter() - began)


async def download(place: Place, *, times: int = 10) -> float:
    began = time.perf_counter()
    for _ in range(times):
        reader, writer = await asyncio.open_connection("127.0.0.1", place.port, limit=2**22)
        head = f"GET /v1/proxy/big HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        writer.write(head.encode())
        await reader.readuntil(b"\r\n\r\n")
        left = BIG
        while left > 0:
            left -= len(await reader.read(2**20))
        writer.close()
    return times * BIG / 1e6 / (time.perf_counter() - began)


def frame(text: bytes) -> bytes:
    """Return a masked text frame; the mask is zeros, which costs nothing and is allowed."""
    size = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + text


async def socket(place: Place, echoes: int, payload: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
    writer.write(
        b"GET /v1/proxy/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"Authorization: Bearer " + TOKEN.encode() + b"\r\n\r\n"
    )
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 101 " not in head:
        raise RuntimeError(head)
    writer.write(frame(b'{"type":"req","id":"c","method":"connect","params":{}}'))
    size = (await reader.readexactly(2))[1]
    await reader.readexactly(size)
    sent = frame(payload)
    for _ in range(echoes):
        writer.write(sent)
        await reader.readexactly(2 + len(payload))
    writer.close()


async def echoes(place: Place, seconds: float, *, sockets: int = 32) -> float:
    each = int(150 * seconds)
    began = time.perf_counter()
    await asyncio.gather(*(socket(place, each, b"x" * 100) for _ in range(sockets)))
    return sockets * each / (time.perf_counter() - began)
