"""A keep-alive HTTP/1.1 client that costs next to nothing, so that the server is what is measured."""

import asyncio
import statistics
import time
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Load:
    """What came of many requests: milliseconds, and requests per second."""

    p50: float
    p99: float
    per_second: float


async def load(url: str, *, token: str, clients: int, requests: int, coding: str = "identity") -> Load:
    """Let so many clients ask for `url`, each as often as its share of the requests."""
    times: list[float] = []
    began = time.perf_counter()
    await asyncio.gather(*(_client(url, token, coding, requests // clients, times) for _ in range(clients)))
    seconds = time.perf_counter() - began
    times.sort()
    return Load(
        statistics.median(times) * 1000, times[int(len(times) * 0.99) - 1] * 1000, len(times) / seconds
    )


async def _client(url: str, token: str, coding: str, requests: int, times: list[float]) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=2**24)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    head = (
        f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n"
        f"Accept-Encoding: {coding}\r\n\r\n"
    ).encode()
    for _ in range(requests):
        began = time.perf_counter()
        writer.write(head)
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{url}: {answer[:200]!r}")
        length = answer.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
        await reader.readexactly(int(length))
        times.append(time.perf_counter() - began)
    writer.close()
    await writer.wait_closed()
