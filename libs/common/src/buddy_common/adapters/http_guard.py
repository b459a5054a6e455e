"""uvicorn's HTTP, bounded: it would read heads without end, and bodies that nobody wants any more.

Needs the extra `buddy-common[web]`. Leans on hooks of httptools that uvicorn's protocol class has; the tests
would notice if they moved.
"""

import asyncio

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

log = structlog.get_logger(__name__)

# Node's limit is 16 KiB; the paths and cookies of people stay far below
MAX_HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 20.0
# a client that has its answer may go on sending for so long, or it would not get to read it
LINGER_SECONDS = 5.0
# the first piece of a body up to which copying it behind the head costs less than a write of its own
JOINED_BYTES = 16 * 1024
# the name by which an app finds the way to send each piece of an answer at once
AT_ONCE = "buddy.write_at_once"
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class OneWrite:
    """What an answer is written to: its head goes out with the first piece of its body where that is there.

    uvicorn writes them one by one, and each is a call of the system that wakes the client up. What comes
    after them goes past this.
    """

    def __init__(self, cycle: RequestResponseCycle, loop: asyncio.AbstractEventLoop) -> None:
        self._cycle = cycle
        self._transport = cycle.transport
        self._loop = loop
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:
        """Write; the head waits until whoever answers waits for something."""
        if self._head is None:
            self._head = data
            self._loop.call_soon(self._flush)
        elif len(data) <= JOINED_BYTES:
            joined, self._head = self._head + data, None
            self._transport.write(joined)
            self._cycle.transport = self._transport
        else:
            self._flush()
            self._transport.write(data)

    def _flush(self) -> None:
        head, self._head = self._head, None
        self._cycle.transport = self._transport
        if head is not None and not self._transport.is_closing():
            self._transport.write(head)

    def is_closing(self) -> bool:
        """Whether nothing can be written any more."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Close the connection, once all is out."""
        self._flush()
        self._transport.close()


class GuardedHttp(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, with a bound to the size of a head, to its time, and to that of a refused body."""

    _head_bytes = 0
    _is_head = True
    _in_body = False
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Read on, unless this is still a head, or what follows a body, and long."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(_TOO_LARGE)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header of the head; those that come after a chunked body are nobody's (RFC 9110, 6.5)."""
        if self._is_head:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Take a part of a body: bytes of it are no bytes of a head."""
        self._head_bytes = 0
        super().on_body(body)

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self.scope["extensions"] = {AT_ONCE: {"call": self._write_at_once}}
        if not self._is_head:
            self._await_head()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._is_head, self._head_bytes, self._in_body = False, 0, True
        self._forget_timer()
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:  # no upgrade to a WebSocket
            self.cycle.transport = OneWrite(self.cycle, self.loop)  # type: ignore[assignment]  # all it uses

    def on_message_complete(self) -> None:
        """The body is whole."""
        self._in_body = False
        self._forget_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The client has its answer; a body that still comes in is for nobody."""
        super().on_response_complete()
        if self._in_body and self.cycle.response_complete:
            self._forget_timer()
            self._timer = self.loop.call_later(LINGER_SECONDS, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._forget_timer()
        super().connection_lost(exc)

    def _write_at_once(self) -> None:
        """Send what is written from now on right away; uvloop waits until it has read what there is."""
        self.transport.set_write_buffer_limits(high=0)

    def _await_head(self) -> None:
        self._is_head, self._head_bytes = True, 0
        self._forget_timer()
        self._timer = self.loop.call_later(HEAD_SECONDS, self._refuse, _TOO_SLOW)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, answer: bytes) -> None:
        if self.transport.is_closing():
            return
        running: RequestResponseCycle | None = self.cycle  # none before the first request
        if running is None or running.response_complete:  # else it would stand in the middle of an answer
            self.transport.write(answer)
        self.transport.close()
