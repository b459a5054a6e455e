"""The connections to the gateway: one pool, kept alive, nothing decoded and nothing followed."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from buddy_common.errors import GatewaySilentError, GatewayUnreachableError, StreamBrokenError

CONNECT_SECONDS = 5.0
# Node closes an idle connection after 5 s, and a request that meets that is lost
KEEPALIVE_SECONDS = 2.0
# above them the gateway's own limits, 16 KiB in Node, have cut it already
_MAX_FIELD_BYTES = 64 * 1024
_SKIPPED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")

Headers = Iterable[tuple[str, str]]
Body = bytes | AsyncIterator[bytes] | None


class Answer:
    """An answer that is coming in; chunks are as the gateway sent them."""

    def __init__(self, response: aiohttp.ClientResponse, *, silence_seconds: float) -> None:
        self._response = response
        self._silence_seconds = silence_seconds
        self.status = response.status
        self.raw_headers = response.raw_headers

    def header(self, name: str) -> str:
        """Return a header, an empty text where there is none."""
        return self._response.headers.get(name, "")

    @property
    def is_stream(self) -> bool:
        """Whether these are server-sent events."""
        return self.header("content-type").startswith("text/event-stream")

    async def chunk(self, *, seconds: float | None = None) -> bytes:
        """Return the next bytes, none at the end.

        Raises:
            TimeoutError: nothing came for `seconds`; where they are given, the caller may go on.
            GatewaySilentError: nothing came for as long as the gateway may be silent.
            StreamBrokenError: the connection ended before the answer did.
        """
        limit = self._silence_seconds if seconds is None else seconds
        try:
            async with asyncio.timeout(limit):
                return await self._response.content.readany()
        except TimeoutError as exc:
            if seconds is not None:
                raise
            raise GatewaySilentError(limit) from exc
        except (aiohttp.ClientError, ConnectionError) as exc:
            raise StreamBrokenError(
                "The gateway broke the answer off. It may be restarting; try again."
            ) from exc

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


class Upstream:
    """The gateway as a server of HTTP and WebSockets; opened by the first request."""

    def __init__(self, *, max_frame_bytes: int) -> None:
        self._max_frame_bytes = max_frame_bytes
        self._session: aiohttp.ClientSession | None = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_SECONDS),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=_SKIPPED,
                max_line_size=_MAX_FIELD_BYTES,
                max_field_size=_MAX_FIELD_BYTES,
            )
        return self._session

    @asynccontextmanager
    async def request(
        self, method: str, url: str, *, headers: Headers, body: Body, silence_seconds: float
    ) -> AsyncIterator[Answer]:
        """Send a request and yield its answer; leaving the block before its end closes the connection.

        Raises:
            GatewayUnreachableError: the gateway cannot be reached, or hung up without an answer.
            GatewaySilentError: it takes the request and says nothing.
        """
        opening = self._opened().request(
            method, URL(url, encoded=True), headers=list(headers), data=body, allow_redirects=False
        )
        try:
            async with asyncio.timeout(silence_seconds):
                response = await opening
        except TimeoutError as exc:
            if isinstance(exc, aiohttp.ServerTimeoutError):
                raise GatewayUnreachableError("The gateway does not take connections.") from exc
            raise GatewaySilentError(silence_seconds) from exc
        except (aiohttp.ClientError, ConnectionError) as exc:
            raise GatewayUnreachableError(
                "The gateway cannot be reached, or hung up. `GET /v1/openclaw/status` tells more;"
                " `POST /v1/gateway/start` starts it."
            ) from exc
        try:
            yield Answer(response, silence_seconds=silence_seconds)
        finally:
            # whole answers have given their connection back by now; of any other it is closed
            response.close()

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
        if self._session is not None:
            await self._session.close()
