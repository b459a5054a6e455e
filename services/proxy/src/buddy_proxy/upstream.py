"""The gateway as a server: a pool of connections for requests, and a client for WebSockets."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from types import TracebackType

import aiohttp
from yarl import URL

from buddy_common.adapters.loopback_tls import loopback_tls
from buddy_common.errors import (
    BuddyError,
    GatewaySilentError,
    GatewayUnreachableError,
    InvalidRequestError,
)
from buddy_proxy.gateway_answer import Answer, ConnectionLostError
from buddy_proxy.gateway_connection import MAX_HEAD_BYTES, GatewayConnection

CONNECT_SECONDS = 5.0
# Node closes an idle connection after 5 s, and a request that meets that is lost
KEEPALIVE_SECONDS = 2.0
# the gateway may have closed a kept connection just now; these may be sent again (RFC 9110 section 9.2.2)
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS"})
_TLS = "https://"
_SKIPPED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")

Headers = Iterable[tuple[str, str]]
Pieces = AsyncGenerator[bytes, None]
Body = bytes | Pieces | None

__all__ = ["Answer", "Body", "Headers", "Upstream"]


class _Pool:
    """Connections that are kept for the next request."""

    def __init__(self) -> None:
        self._idle: dict[str, list[GatewayConnection]] = {}
        self._open: set[GatewayConnection] = set()
        self._sweep: asyncio.TimerHandle | None = None

    def kept(self, origin: str) -> GatewayConnection | None:
        """Return a connection that is open and was used just now, None where there is none."""
        idle = self._idle.get(origin)
        latest = asyncio.get_running_loop().time() - KEEPALIVE_SECONDS
        while idle:
            connection = idle.pop()
            if connection.idle_since >= latest and not connection.transport.is_closing():
                return connection
            connection.close()
        return None

    async def connect(self, origin: str) -> GatewayConnection:
        """Return a new connection.

        Raises:
            GatewayUnreachableError: the gateway does not take it.
        """
        loop = asyncio.get_running_loop()
        host, _, port = origin.rpartition("/")[2].rpartition(":")
        tls = loopback_tls() if origin.startswith(_TLS) else None

        def free(connection: GatewayConnection) -> None:
            self._idle.setdefault(origin, []).append(connection)
            if self._sweep is None:
                self._sweep = loop.call_later(KEEPALIVE_SECONDS, self._close_old)

        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await loop.create_connection(
                    lambda: GatewayConnection(free, self._open.discard), host, int(port), ssl=tls
                )
        except TimeoutError as exc:
            raise GatewayUnreachableError("The gateway does not take connections.") from exc
        except OSError as exc:
            raise _unreachable() from exc
        self._open.add(connection)
        return connection

    def _close_old(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweep = None
        for origin, idle in list(self._idle.items()):
            kept = []
            for connection in idle:
                if connection.idle_since + KEEPALIVE_SECONDS <= loop.time() or connection.is_lost:
                    connection.close()
                else:
                    kept.append(connection)
            if kept:
                self._idle[origin] = kept
            else:
                del self._idle[origin]
        if self._idle:
            self._sweep = loop.call_later(KEEPALIVE_SECONDS, self._close_old)

    def close(self) -> None:
        """Close all, the busy ones too."""
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in list(self._open):
            connection.lose()


def _unreachable() -> GatewayUnreachableError:
    return GatewayUnreachableError(
        "The gateway cannot be reached, or hung up. `GET /v1/openclaw/status` tells more;"
        " `POST /v1/gateway/start` starts it."
    )


class _Request:
    """A request; entered, it has an answer, and left before the answer's end it closes the connection."""

    def __init__(
        self, pool: _Pool, method: str, url: str, *, headers: Headers, body: Body, silence: float
    ) -> None:
        self._pool = pool
        start = url.index("/", url.index("//") + 2)
        self._origin, path = url[:start], url[start:]
        self._method = method
        self._body = body
        self._silence = silence
        self._head, self._is_chunked = _head(method, path, list(headers), body)
        self._upload: asyncio.Task[None] | None = None
        self._connection: GatewayConnection | None = None
        self._answer: Answer | None = None

    async def __aenter__(self) -> Answer:
        connection = self._pool.kept(self._origin)
        if connection is not None:
            try:
                return await self._ask(connection)
            except ConnectionLostError as exc:
                if self._method not in _IDEMPOTENT or self._body is not None:
                    raise _unreachable() from exc
        try:
            return await self._ask(await self._pool.connect(self._origin))
        except ConnectionLostError as exc:
            raise _unreachable() from exc

    async def _ask(self, connection: GatewayConnection) -> Answer:
        try:
            answer = connection.send(
                self._head, is_head=self._method == "HEAD", silence_seconds=self._silence
            )
            self._connection, self._answer = connection, answer
            if self._body is not None and not isinstance(self._body, bytes):
                answer.is_uploading = True
                self._upload = asyncio.create_task(self._send(connection, answer, self._body))
            await answer.started(self._silence)
        except TimeoutError as exc:
            await self._leave()
            raise GatewaySilentError(self._silence) from exc
        except BaseException:
            await self._leave()
            raise
        return answer

    async def _send(self, connection: GatewayConnection, answer: Answer, body: Pieces) -> None:
        try:
            async with aclosing(body) as pieces:
                async for piece in pieces:
                    await connection.write(
                        b"%x\r\n%b\r\n" % (len(piece), piece) if self._is_chunked else piece
                    )
                    answer.heard = asyncio.get_running_loop().time()  # who takes a body is not silent
            if self._is_chunked:
                await connection.write(b"0\r\n\r\n")
        except BuddyError as exc:
            answer.end(exc)
            connection.lose()
        else:
            answer.is_uploading = False

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._leave()

    async def _leave(self) -> None:
        if self._connection is not None and self._answer is not None and not self._answer.is_over:
            self._connection.lose()
        if self._upload is not None:
            self._upload.cancel()
            await asyncio.gather(self._upload, return_exceptions=True)


def _head(method: str, path: str, headers: list[tuple[str, str]], body: Body) -> tuple[bytes, bool]:
    """Return a request up to its body, or with it where it is there, and whether the rest comes in chunks."""
    named = {name.lower() for name, _ in headers}
    is_chunked = body is not None and not isinstance(body, bytes) and "content-length" not in named
    if isinstance(body, bytes):
        headers = [*headers, ("Content-Length", str(len(body)))]
    elif is_chunked:
        headers = [*headers, ("Transfer-Encoding", "chunked")]
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "\r\n"]
    head = "\r\n".join(lines)
    if "\0" in head or head.count("\r") != len(lines) or head.count("\n") != len(lines):
        raise InvalidRequestError("A header or the path holds a line break or a NUL.")
    raw = head.encode("latin-1")
    return (raw + body if isinstance(body, bytes) else raw), is_chunked


class Upstream:
    """The gateway; opened by the first request."""

    def __init__(self, *, max_frame_bytes: int) -> None:
        self._max_frame_bytes = max_frame_bytes
        self._pool = _Pool()
        self._session: aiohttp.ClientSession | None = None
        self._tls = loopback_tls()  # made once: it is kept for each address with TLS

    def request(
        self, method: str, url: str, *, headers: Headers, body: Body, silence_seconds: float
    ) -> _Request:
        """Return a request; as a block it yields its answer, and leaving that early closes the connection.

        Raises:
            GatewayUnreachableError: the gateway cannot be reached, or hung up without an answer.
            GatewaySilentError: it takes the request and says nothing.
        """
        return _Request(self._pool, method, url, headers=headers, body=body, silence=silence_seconds)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=_SKIPPED,
                max_line_size=MAX_HEAD_BYTES,
                max_field_size=MAX_HEAD_BYTES,
            )
        return self._session

    @asynccontextmanager
    async def socket(
        self, url: str, *, headers: Headers, protocols: Iterable[str], heartbeat_seconds: float
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open a WebSocket; it closes with the block.

        Raises:
            GatewayUnreachableError: the gateway does not take it.
        """
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                socket = await self._opened().ws_connect(
                    URL(url, encoded=True),
                    headers=list(headers),
                    protocols=tuple(protocols),
                    max_msg_size=self._max_frame_bytes,
                    heartbeat=heartbeat_seconds,
                    compress=0,
                    autoping=True,
                    ssl=self._tls,
                )
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as exc:
            raise GatewayUnreachableError(
                "The gateway does not take the connection. It may be starting or stopping;"
                " `GET /v1/openclaw/status` tells."
            ) from exc
        try:
            yield socket
        finally:
            await socket.close()

    async def close(self) -> None:
        """Close all connections."""
        self._pool.close()
        if self._session is not None:
            await self._session.close()
