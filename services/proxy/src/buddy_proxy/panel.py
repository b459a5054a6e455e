"""The gateway's own panel below `/v1/proxy/`, let in by the gateway's token, for whoever is signed in here.

To the gateway all of it comes from loopback. That launders the Origin, so credential, Origin and CSRF are
checked here, before anything is dialled.
"""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from typing import Any
from urllib.parse import quote

import structlog
from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send

from buddy_common.adapters.access import COOKIE
from buddy_common.errors import (
    BuddyError,
    GatewayRefusedError,
    GatewayUnreachableError,
    InvalidRequestError,
    ShuttingDownError,
)
from buddy_proxy.eager import sent
from buddy_proxy.headers import cookie_inside, cookies_for_gateway, from_gateway, to_gateway
from buddy_proxy.panel_page import below, framed, location_inside
from buddy_proxy.panel_path import PREFIX, gateway_path
from buddy_proxy.panel_policy import confined
from buddy_proxy.problems import envelope, send_problem
from buddy_proxy.running import LOOK_AFTER, End, disconnected
from buddy_proxy.target import Found
from buddy_proxy.upstream import Answer
from buddy_proxy.wiring import Wiring

log = structlog.get_logger(__name__)

MAX_PAGE_BYTES = 8 * 1024 * 1024
UPLOAD_SECONDS = 60.0  # an upload that stops moving
_REPLACED = frozenset({b"x-frame-options", b"content-security-policy", b"location", b"set-cookie"})
_OF_A_PAGE = frozenset({b"content-length", b"etag", b"last-modified", b"cache-control", b"accept-ranges"})
# a page is rewritten, so it must come whole and plain
_NOT_OF_A_PAGE = frozenset({"accept-encoding", "if-none-match", "if-modified-since", "if-range", "range"})
_WITHOUT_BODY = frozenset({204, 304})
_DROPPED = frozenset({b"referer", b"x-buddy-node"})


class Panel:
    """`/v1/proxy/…` over HTTP."""

    def __init__(self, w: Wiring) -> None:
        self._w = w

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        started = _Started(send)
        try:
            await self._serve(scope, receive, started)
        except BuddyError as exc:
            log.info("panel_failed", error=exc.error, reason=exc.message)
            if not started:
                await send_problem(send, exc, envelope(exc))

    async def _serve(self, scope: Scope, receive: Receive, send: "_Started") -> None:
        if self._w.stopping:
            raise ShuttingDownError
        operator = await self._w.authenticator.authenticate(HTTPConnection(signed_in_by_cookie(scope)))
        path = gateway_path(scope["raw_path"], scope["query_string"])
        if scope["raw_path"] == PREFIX.encode():
            await _redirect(send, f"{PREFIX}/")
            return
        with self._w.clients.enter(operator.address):
            found = await self._w.target.find()
            root, mark, query = path.partition("?")
            if root == "/" and found.panel:  # there is nothing at its root
                await _redirect(send, f"{PREFIX}{quote(found.panel)}/{mark}{query}")
                return
            incoming = Incoming(scope, receive)
            end = await self._w.running.until_left(
                self._exchange(scope, path, found, incoming, send), incoming.left, look_after=LOOK_AFTER
            )
            if end is End.STOPPED:
                raise ShuttingDownError

    async def _exchange(
        self, scope: Scope, path: str, found: Found, incoming: "Incoming", send: "_Started"
    ) -> None:
        try:
            async with self._w.upstream.request(
                scope["method"],
                found.origin + path,
                headers=panel_headers(scope, found, incoming),
                body=incoming.body() if incoming.has_body else None,
                silence_seconds=self._w.config.proxy.silence_seconds,
            ) as answer:
                if answer.header("content-type").startswith("text/html") and _is_plain(answer):
                    await _send_page(send, answer, found, is_head=scope["method"] == "HEAD")
                else:
                    await _send_as_it_is(send, answer, found)
        except (GatewayUnreachableError, GatewayRefusedError):
            self._w.target.forget()
            raise


def signed_in_by_cookie(scope: Scope) -> Scope:
    """Return the scope without `Authorization` where our cookie is there: the panel sends its own."""
    if not any(name == b"cookie" for name, _ in scope["headers"]):
        return scope
    if COOKIE not in HTTPConnection(scope).cookies:
        return scope
    headers = [header for header in scope["headers"] if header[0] != b"authorization"]
    return {**scope, "headers": headers, "state": scope.setdefault("state", {})}


def panel_headers(scope: Scope, found: Found, incoming: "Incoming | None") -> list[tuple[str, str]]:
    """Return what the gateway gets: as if a page of its own had asked, from loopback."""
    given: list[tuple[bytes, bytes]] = [header for header in scope["headers"] if header[0] not in _DROPPED]
    headers = to_gateway(given, authority=found.authority, token=found.place.token)
    if _wants_page(given):
        headers = [header for header in headers if header[0] not in _NOT_OF_A_PAGE]
    headers = [(name, found.origin if name == "origin" else value) for name, value in headers]
    cookies = cookies_for_gateway(given)
    if cookies:
        headers.append(("Cookie", cookies))
    if incoming is not None and incoming.length is not None:
        headers.append(("Content-Length", incoming.length))
    return headers


def _wants_page(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(name == b"accept" and b"text/html" in value for name, value in headers)


def _is_plain(answer: Answer) -> bool:
    return answer.header("content-encoding") in {"", "identity"} and answer.status != 206  # noqa: PLR2004 - Partial Content


def answer_headers(answer: Answer, found: Found) -> list[tuple[bytes, bytes]]:
    """Return an answer's headers as they are seen from outside."""
    headers = from_gateway(answer.raw_headers, without=_REPLACED)
    for raw_name, value in answer.raw_headers:
        name = raw_name.lower()
        if name == b"content-security-policy":
            headers.append((name, framed(value)))
        elif name == b"location":
            inside = location_inside(value.decode("latin-1"), origin=found.origin, prefix=PREFIX)
            headers.append((name, inside.encode("latin-1")))
        elif name == b"set-cookie":
            cookie = cookie_inside(value.decode("latin-1"), PREFIX)
            if cookie is not None:
                headers.append((name, cookie.encode("latin-1")))
    if answer.status in _WITHOUT_BODY:
        # a 304 may have the length of what does not come, which uvicorn would wait for;
        # there is no page, and a 304 would change the policy of one that is stored
        return [header for header in headers if header[0] != b"content-length"]
    return confined(headers)


async def _send_page(send: "_Started", answer: Answer, found: Found, *, is_head: bool) -> None:
    page = below(await answer.whole(MAX_PAGE_BYTES), PREFIX.encode())
    headers = [header for header in answer_headers(answer, found) if header[0] not in _OF_A_PAGE]
    headers.append((b"cache-control", b"no-store"))  # after an upgrade an old page cannot talk to the gateway
    if not is_head:
        headers.append((b"content-length", str(len(page)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": page})


async def _send_as_it_is(send: "_Started", answer: Answer, found: Found) -> None:
    headers = answer_headers(answer, found)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    length = answer.header("content-length")
    left = int(length) if length.isdigit() else -1  # unknown: it ends where the gateway ends it
    more = True

    def take(piece: bytes) -> Coroutine[Any, Any, None]:
        nonlocal left, more
        left -= len(piece)
        more = left != 0
        return send({"type": "http.response.body", "body": piece, "more_body": more})

    await answer.pour(take)
    if more:
        await sent(send({"type": "http.response.body"}))


async def _redirect(send: "_Started", where: str) -> None:
    headers = [(b"location", where.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 307, "headers": headers})
    await send({"type": "http.response.body"})


class _Started:
    """`send`, and whether anything has gone out by it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_started = False

    def __bool__(self) -> bool:
        return self._is_started

    async def __call__(self, message: Any) -> None:
        self._is_started = True
        await self._send(message)


class Incoming:
    """The body of a request as it comes in, and the news that the client has gone."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        named = dict(scope["headers"])
        is_chunked = b"transfer-encoding" in named  # then a length would be a lie (RFC 9112 section 6.3)
        length = None if is_chunked else named.get(b"content-length")
        self.length = None if length is None else length.decode("latin-1")
        self.has_body = is_chunked or self.length not in {None, "0"}
        if not self.has_body and self.length is None and scope["method"] in {"POST", "PUT", "PATCH"}:
            self.length = "0"
        self._receive = receive
        self._is_read = asyncio.Event()  # nobody asks for more of it
        self._gone = asyncio.Event()
        if not self.has_body:
            self._is_read.set()

    async def body(self) -> AsyncGenerator[bytes, None]:
        """Yield the body; no more than one piece is read ahead, so a slow gateway slows the client down.

        Raises:
            InvalidRequestError: it stopped coming in, or its client has gone.
        """
        more = True
        ahead = asyncio.create_task(self._next())
        try:
            while more:
                message = await ahead
                more = message.get("more_body", False)
                if more:  # while the gateway takes this piece: it may be long, and the client may leave
                    ahead = asyncio.create_task(self._next())
                if content := message.get("body", b""):
                    yield content
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)
            self._is_read.set()

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                message = await self._receive()
        except TimeoutError as exc:
            raise InvalidRequestError(f"The body stopped coming in for {UPLOAD_SECONDS:.0f} s.") from exc
        if message["type"] == "http.disconnect":
            self._gone.set()
            raise InvalidRequestError("The client left before it had sent all.")
        if not message.get("more_body", False):
            self._is_read.set()
        return message

    async def left(self) -> None:
        """Return when the client has gone; as long as the body is read, whoever does that finds out."""
        if not self._is_read.is_set():
            await self._read_or_gone()
        if not self._gone.is_set():
            await disconnected(self._receive)

    async def _read_or_gone(self) -> None:
        waits = asyncio.ensure_future(self._is_read.wait()), asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
