"""An answer of the gateway on its way: read by whoever waits for it, or poured on with no task between."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from buddy_common.errors import BuddyError, GatewaySilentError, StreamBrokenError
from buddy_proxy.eager import Rest, begin, in_time, sent

# what may wait here for a client that is slower than the gateway
HIGH_WATER_BYTES = 256 * 1024

Take = Callable[[bytes], Coroutine[Any, Any, None] | None]


class ConnectionLostError(Exception):
    """The connection ended, or what came by it is no HTTP."""


class Answer:
    """An answer that is coming in; pieces are as the gateway sent them."""

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        *,
        is_head: bool,
        silence_seconds: float,
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._silence_seconds = silence_seconds
        self._pieces: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._is_paused = False
        self._take: Take | None = None
        self._waiter: asyncio.Future[Rest | None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._silent_since = 0.0
        self._failure: Exception | None = None
        self._is_over = False
        self._named: dict[bytes, bytes] = {}
        self.is_head = is_head
        self.is_uploading = False
        self.heard = loop.time()
        self.status = 0
        self.raw_headers: list[tuple[bytes, bytes]] = []

    def begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Take the head."""
        self.status, self.raw_headers = status, headers
        for name, value in headers:
            self._named.setdefault(name.lower(), value)
        self._wake()

    @property
    def ends_with_connection(self) -> bool:
        """Whether nothing else says where it ends (RFC 9112 section 6.3)."""
        return bool(self.status) and not {b"content-length", b"transfer-encoding"} & self._named.keys()

    def header(self, name: str) -> str:
        """Return a header, an empty text where there is none."""
        return self._named.get(name.encode(), b"").decode("latin-1")

    @property
    def is_stream(self) -> bool:
        """Whether these are server-sent events."""
        return self._named.get(b"content-type", b"").startswith(b"text/event-stream")

    @property
    def is_over(self) -> bool:
        """Whether no more will come in."""
        return self._is_over

    def feed(self, piece: bytes) -> None:
        """Hand a piece on, or keep it until it is asked for."""
        take, waiter = self._take, self._waiter
        if take is None or waiter is None or waiter.done():
            self._keep(piece)
            return
        try:
            work = take(piece)
            rest = None if work is None else begin(work)
        except Exception as exc:  # noqa: BLE001 - it is for the task that waits for the end
            waiter.set_exception(exc)
            return
        if rest is not None:  # whoever takes it must wait, and so must the gateway
            self._pause()
            waiter.set_result(rest)

    def _keep(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._waiting_bytes += len(piece)
        if self._waiting_bytes > HIGH_WATER_BYTES:
            self._pause()
        if self.status:
            self._wake()

    def end(self, failure: Exception | None) -> None:
        """Nothing more will come; the connection may get its next request."""
        if not self._is_over:
            self._is_over, self._failure = True, failure
            self._resume()
            self._wake()

    async def started(self, seconds: float) -> None:
        """Return once the head is there.

        Raises:
            ConnectionLostError: the connection ended before.
            TimeoutError: nothing came for so long.
        """
        while not self.status:
            if self._is_over:
                raise self._failure or ConnectionLostError
            await self._wait(seconds)

    async def chunk(self) -> bytes:
        """Return the next bytes, none at the end.

        Raises:
            GatewaySilentError: nothing came for as long as the gateway may be silent.
            StreamBrokenError: the connection ended before the answer did.
        """
        while not self._pieces:
            if self._is_over:
                self._check()
                return b""
            try:
                await self._wait(self._silence_seconds)
            except TimeoutError as exc:
                raise GatewaySilentError(self._silence_seconds) from exc
        return self._kept()

    async def whole(self, limit: int) -> bytes:
        """Return the answer, which must be small.

        Raises:
            GatewaySilentError: it stopped in the middle.
            StreamBrokenError: it was cut off, or has more than `limit` bytes.
        """
        parts = bytearray()
        while part := await self.chunk():
            parts += part
            if len(parts) > limit:
                raise StreamBrokenError(f"The gateway answers with more than {limit} bytes.")
        return bytes(parts)

    async def pour(self, take: Take, *, seconds: float | None = None) -> None:
        """Give each piece to `take` as it comes, without a task in between, until the end.

        Raises:
            TimeoutError: nothing came for `seconds`; where they are given, the caller may pour on.
            GatewaySilentError: nothing came for as long as the gateway may be silent.
            StreamBrokenError: the connection ended before the answer did.
            ClientTooSlowError: whoever takes the pieces waits for its client for too long.
        """
        while True:
            while self._pieces:
                work = take(self._kept())
                if work is not None:
                    await sent(work)
            if self._is_over:
                self._check()
                return
            self._take = take
            try:
                rest = await self._wait(self._silence_seconds if seconds is None else seconds)
            except TimeoutError as exc:
                if seconds is not None:
                    raise
                raise GatewaySilentError(self._silence_seconds) from exc
            finally:
                self._take = None
            if rest is not None:
                await in_time(rest)

    def _check(self) -> None:
        if isinstance(self._failure, BuddyError):
            raise self._failure
        if self._failure is not None:
            raise StreamBrokenError(
                "The gateway broke the answer off. It may be restarting; try again."
            ) from self._failure

    def _kept(self) -> bytes:
        found = self._pieces.popleft() if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._waiting_bytes = 0
        self._resume()
        return found

    def _pause(self) -> None:
        if not self._is_paused and not self._transport.is_closing():
            self._is_paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    async def _wait(self, seconds: float) -> Rest | None:
        """Return at the next news; the clock runs from when something was heard last."""
        self._resume()
        waiter: asyncio.Future[Rest | None] = self._loop.create_future()
        self._waiter, self._silent_since = waiter, self._loop.time()
        self._look(waiter, seconds)
        try:
            return await waiter
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._waiter = self._timer = None

    def _look(self, waiter: "asyncio.Future[Rest | None]", seconds: float) -> None:
        """Look again when the time may be over: one timer, however many pieces come."""
        until = max(self._silent_since, self.heard) + seconds
        if until > self._loop.time():
            self._timer = self._loop.call_at(until, self._look, waiter, seconds)
        elif not waiter.done():
            waiter.set_exception(TimeoutError())

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
