"""One connection to the gateway and the answers that come by it: HTTP/1.1, parsed by llhttp, nothing decoded.

What a general client does for each request, and a task that wakes up for each piece, cost several times what
the gateway and a browser need; see ADR 12.
"""

import asyncio
from collections.abc import Callable

import httptools

from buddy_proxy.gateway_answer import Answer, ConnectionLostError

# of a head, of trailers, of what frames a chunk; above them Node's own limits, 16 KiB, have cut it already
MAX_HEAD_BYTES = 64 * 1024
_OK = 200


class GatewayConnection(asyncio.Protocol):
    """A connection, one answer at a time; `on_free` is told when it may be used again, `on_lost` its end."""

    def __init__(
        self,
        on_free: Callable[["GatewayConnection"], None],
        on_lost: Callable[["GatewayConnection"], None],
    ) -> None:
        self._on_free = on_free
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._answer: Answer | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._framing_bytes = 0  # since the last of a body
        self._headers: list[tuple[bytes, bytes]] = []
        self._in_head = True
        self.transport: asyncio.Transport
        self.is_lost = False
        self.idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = transport  # type: ignore[assignment]  # a TCP connection's is no other

    def send(self, head: bytes, *, is_head: bool, silence_seconds: float) -> "Answer":
        """Send a request's head, and its body if that is there, and return the answer to come."""
        self._answer = Answer(self.transport, self._loop, is_head=is_head, silence_seconds=silence_seconds)
        self._in_head, self._framing_bytes, self._headers = True, 0, []
        self.transport.write(head)
        return self._answer

    async def write(self, data: bytes) -> None:
        """Send more of the body, no faster than the gateway takes it."""
        self.transport.write(data)
        await self._writable.wait()

    def pause_writing(self) -> None:
        """Hold up whoever writes."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let them go on."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Take in what the gateway sends."""
        if self._answer is None:  # nobody has asked
            self.transport.abort()
            return
        self._framing_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.lose()
        if self._framing_bytes > MAX_HEAD_BYTES:
            self.lose()

    def on_message_begin(self) -> None:
        """An answer begins; one that nobody has asked for must not be taken for that to the next request."""
        if self._answer is None:
            self.lose()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header of the head; those that come after a chunked body are nobody's."""
        if self._in_head:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole, unless it only says that there is more to come."""
        status = self._parser.get_status_code()
        headers, self._headers = self._headers, []
        if status < _OK or self._answer is None:
            return
        codings = [value.strip().lower() for name, value in headers if name.lower() == b"transfer-encoding"]
        if codings not in ([], [b"chunked"]):  # nobody here could decode it, nor tell its end for sure
            self.lose()
            return
        self._in_head = False
        self._answer.heard = self._loop.time()
        self._answer.begin(status, headers)
        if self._answer.is_head:  # its length is that of a body which does not come
            self._finish(reusable=False)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._framing_bytes = 0
        if self._answer is not None:
            self._answer.heard = self._loop.time()  # not at every byte: a head that trickles in is none
            self._answer.feed(body)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if not self._in_head:
            self._finish(reusable=self._parser.should_keep_alive())

    def _finish(self, *, reusable: bool) -> None:
        answer, self._answer = self._answer, None
        if answer is None:
            return
        if not reusable or answer.is_uploading or self.transport.get_write_buffer_size():
            self.lose()  # closing would wait until the gateway has taken a body that it does not want
        elif not self.is_lost and not self.transport.is_closing():
            self.idle_since = self._loop.time()
            self._on_free(self)
        answer.end(None)

    def eof_received(self) -> None:
        """The gateway sends no more; some answers end so."""

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over; an answer that has no other end is whole then."""
        by_gateway, self.is_lost = exc is None and not self.is_lost, True
        self._on_lost(self)
        self._writable.set()
        answer, self._answer = self._answer, None
        if answer is not None:
            whole = by_gateway and answer.ends_with_connection
            answer.end(None if whole else ConnectionLostError())

    def lose(self) -> None:
        """Cut it off, in the middle of what it does."""
        self.is_lost = True
        self.transport.abort()

    def close(self) -> None:
        """End it."""
        self.is_lost = True
        self.transport.close()
