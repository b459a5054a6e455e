"""The upstream of `bench.proxy`: as little as can answer JSON, events, downloads and a WebSocket echo."""

import asyncio
import base64
import hashlib
import json
import os
import sys
import time
from collections.abc import Coroutine

import uvloop

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
JSON = b'{"ok": true, "status": "live", "message": "' + b"x" * 100 + b'"}'
BIG = 20_000_000
_PIECE = os.urandom(250_000)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_EVENTS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
)


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(at: float) -> bytes:
    return (
        b'data: {"id":"chatcmpl_1","object":"chat.completion.chunk","created":1,"model":"openclaw",'
        b'"choices":[{"index":0,"delta":{"content":"%.7f"},"finish_reason":null}]}\n\n' % at
    )


class Upstream(asyncio.Protocol):
    """Reads requests whose heads come in one piece, as those of the bench do."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._data = b""
        self._is_socket = False
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_lost(self, _exc: Exception | None) -> None:
        for task in self._tasks:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        self._data += data
        while self._echo() if self._is_socket else self._request():
            pass

    def _request(self) -> bool:
        head, found, rest = self._data.partition(b"\r\n\r\n")
        if not found:
            return False
        lines = head.split(b"\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(b":") for line in lines[1:])
        }
        length = int(headers.get(b"content-length", b"0"))
        if len(rest) < length:
            return False
        body, self._data = rest[:length], rest[length:]
        self._answer(lines[0].split(b" ")[1], headers, body)
        return True

    def _answer(self, path: bytes, headers: dict[bytes, bytes], body: bytes) -> None:
        if headers.get(b"upgrade", b"").lower() == b"websocket":
            key = base64.b64encode(hashlib.sha1(headers[b"sec-websocket-key"] + MAGIC).digest())  # noqa: S324 - RFC 6455
            self._transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: %s\r\n\r\n" % key
            )
            self._is_socket = True
        elif path.endswith(b"/chat/completions"):
            wanted = json.loads(body)
            self._later(self._stream(wanted["bench_chunks"], wanted["bench_seconds"]))
        elif path.endswith(b"/big"):
            self._later(self._download())
        else:
            self._transport.write(_HEAD % len(JSON) + JSON)

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stream(self, chunks: int, seconds: float) -> None:
        self._transport.write(_EVENTS)
        for number in range(chunks):
            self._transport.write(chunked(event(time.perf_counter())))
            if seconds:
                await asyncio.sleep(seconds)
            elif number % 16 == 15:
                await self._writable()
        self._transport.write(chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n")

    async def _download(self) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: x/y\r\nContent-Length: %d\r\n\r\n" % BIG)
        for _ in range(BIG // len(_PIECE)):
            self._transport.write(_PIECE)
            await self._writable()

    async def _writable(self) -> None:
        await asyncio.sleep(0)
        while self._transport.get_write_buffer_size() > 256 * 1024:  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0.0005)

    def _echo(self) -> bool:
        """Answer one masked frame of up to 64 KiB; a `connect` of the panel gets its `res`."""
        data = self._data
        if len(data) < 6:
            return False
        size, start = data[1] & 127, 6
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 8
        if len(data) < start + size:
            return False
        mask, payload = data[start - 4 : start], data[start : start + size]
        self._data = data[start + size :]
        words = (mask * (size // 4 + 1))[:size]
        text = (int.from_bytes(payload, "big") ^ int.from_bytes(words, "big")).to_bytes(size, "big")
        if b'"connect"' in text[:100]:
            text = b'{"type":"res","id":"c","ok":true,"payload":{}}'
        length = bytes([len(text)]) if len(text) < 126 else b"\x7e" + len(text).to_bytes(2, "big")
        self._transport.write(bytes([data[0]]) + length + text)
        return True


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
