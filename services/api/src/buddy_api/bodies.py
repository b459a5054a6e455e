"""Request bodies: who sends one is asked before it is read, and it is bounded in size and in time."""

import asyncio

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from buddy_api.deps import operator
from buddy_api.errors import problem_response
from buddy_common.errors import BodyTooLargeError, BodyTooSlowError, BuddyError

# the largest that is taken, a bot's file, gets through on a line of 90 kB/s
BODY_SECONDS = 60.0
# what a stranger may send: there is nothing to post but a token
STRANGERS_BYTES = 64 * 1024
STRANGERS_PATHS = frozenset({"/login"})


def ask_before_reading(app: FastAPI) -> None:
    """Make each route that takes a body, and not anybody's, ask who sends it: FastAPI reads first."""
    for route in app.router.routes:
        if not isinstance(route, APIRoute) or isinstance(route.app, _SignedInFirst):
            continue  # routes are the routers', and shared by all apps of a process
        if route.body_field is not None and _asks(route.dependant):
            route.app = _SignedInFirst(route.app)


def _asks(dependant: Dependant) -> bool:
    return any(each.call is operator or _asks(each) for each in dependant.dependencies)


class _SignedInFirst:
    """A route whose caller is known before it begins."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        await operator(Request(scope))
        await self._app(scope, receive, send)


class BodyLimit:
    """Refuses slow bodies and those above a size: by their declared length, else while they come in."""

    def __init__(self, app: ASGIApp, *, limit_bytes: int) -> None:
        self._app = app
        self._limit = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or _has_no_body(scope):
            await self._app(scope, receive, send)
            return
        limit = min(self._limit, STRANGERS_BYTES) if scope["path"] in STRANGERS_PATHS else self._limit
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdigit() or int(declared) > limit:
            await problem_response(BodyTooLargeError(limit))(scope, receive, send)
            return
        body = _Body(receive, limit)

        async def send_unless_refused(message: Message) -> None:
            """Whatever the app made of the exception, the client learns the real reason."""
            if body.refusal is None:
                await send(message)
            elif message["type"] == "http.response.start":
                await problem_response(body.refusal)(scope, receive, send)

        await self._app(scope, body.receive, send_unless_refused)


class _Body:
    """One body as it comes in."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._left = limit
        self._until = asyncio.get_running_loop().time() + BODY_SECONDS
        self._is_whole = False
        self.refusal: BuddyError | None = None

    async def receive(self) -> Message:
        """Return the next part, or what comes after the body.

        Raises:
            BodyTooLargeError: it has more bytes than a body may have.
            BodyTooSlowError: it did not come in whole in time.
        """
        if self._is_whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError as exc:
            self.refusal = BodyTooSlowError(BODY_SECONDS)
            raise self.refusal from exc
        self._is_whole = not message.get("more_body", False)
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.refusal = BodyTooLargeError(self._limit)
            raise self.refusal
        return message


def _has_no_body(scope: Scope) -> bool:
    """Whether the request announces none (RFC 9112 section 6.3)."""
    return not any(name in {b"content-length", b"transfer-encoding"} for name, _ in scope["headers"])
