"""One chat's answer: passed on as it comes, kept alive while it is silent, and never ended without an end."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any

from starlette.types import Send

from buddy_common.errors import (
    BuddyError,
    ChatDisabledError,
    ClientTooSlowError,
    GatewayAnswerError,
    GatewayRefusedError,
    GatewaySilentError,
)
from buddy_common.openai_error import openai_error
from buddy_common.settings import ProxySettings
from buddy_proxy.chat_stream import ChatStream
from buddy_proxy.eager import sent
from buddy_proxy.headers import from_gateway
from buddy_proxy.problems import NO_SNIFF, send_problem
from buddy_proxy.upstream import Answer

# reads as a line of its own for whoever splits events at blank lines only
COMMENT = b": the gateway is still at work\n\n"
_EVENTS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
_NOT_FOR_CLIENTS = frozenset({b"set-cookie", NO_SNIFF[0]})
_MAX_ERROR_BYTES = 1024 * 1024


class ChatAnswer:
    """What has gone out to the client so far, and how it goes on."""

    def __init__(self, send: Send, settings: ProxySettings, *, streamed: bool) -> None:
        self._send = send
        self._settings = settings
        self._streamed = streamed
        self._events = ChatStream()
        self._is_started = False
        self._is_ended = False
        self._is_short = False  # a piece that counts as passed on is not out

    async def relay(self, opening: AbstractAsyncContextManager[Answer]) -> None:
        """Send the request that `opening` stands for, and pass its answer on.

        Raises:
            BuddyError: there is no good answer; `fail` tells the client.
        """
        async with self._kept_alive() as alive, opening as gateway:
            await alive.stop()
            if gateway.status == HTTPStatus.OK and gateway.is_stream:
                await self._relay_events(gateway)
            elif gateway.status == HTTPStatus.OK and not self._is_started:
                await self._relay_whole(gateway)
            else:
                await self._relay_error(gateway)

    async def fail(self, exc: BuddyError) -> None:
        """End the answer with a failure; one that lacks a piece, or is no stream, is cut off."""
        if self._is_ended or self._is_short:
            return  # uvicorn closes the connection, and so the client sees that this was not all
        if not self._is_started:
            self._is_ended = True
            await send_problem(self._send, exc, openai_error(exc))
        elif self._streamed:
            with suppress(ClientTooSlowError):
                await self._end(self._events.fail(exc))

    async def _relay_events(self, gateway: Answer) -> None:
        self._streamed = True
        await self._start_events()
        silent = 0.0

        def take(piece: bytes) -> Coroutine[Any, Any, None] | None:
            nonlocal silent
            silent = 0.0
            out = self._events.feed(piece)
            return self._put(out) if out else None

        while True:
            try:
                await gateway.pour(take, seconds=self._settings.comment_seconds)
                break
            except TimeoutError:
                silent += self._settings.comment_seconds
                if silent >= self._settings.silence_seconds:
                    raise GatewaySilentError(silent) from None
                if self._events.between_events:
                    await sent(self._comment())
        await self._end(self._events.end())

    async def _relay_whole(self, gateway: Answer) -> None:
        if not gateway.header("content-type").startswith("application/json"):
            raise ChatDisabledError  # the older generation shows its panel instead
        await self._start(gateway.status, from_gateway(gateway.raw_headers, without=_NOT_FOR_CLIENTS))
        while chunk := await gateway.chunk():
            await sent(self._put(chunk))
        await self._end(b"")

    async def _relay_error(self, gateway: Answer) -> None:
        content = await gateway.whole(_MAX_ERROR_BYTES)
        said = _error_of(content)
        if gateway.status == HTTPStatus.UNAUTHORIZED:
            raise GatewayRefusedError("it does not take Buddy's token", code="unauthorized")
        if said is None and gateway.status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
            raise ChatDisabledError
        if said is None or gateway.status < HTTPStatus.BAD_REQUEST:
            raise GatewayAnswerError(f"The gateway answered {gateway.status}, but not as its chat API does.")
        if self._is_started:
            raise GatewayAnswerError(said)
        await self._start(gateway.status, from_gateway(gateway.raw_headers, without=_NOT_FOR_CLIENTS))
        await self._end(content)

    @asynccontextmanager
    async def _kept_alive(self) -> AsyncIterator["_Comments"]:
        """Write comments while the gateway says nothing at all, where the client waits for a stream."""
        comments = _Comments(self._comment, self._settings.comment_seconds, wanted=self._streamed)
        try:
            yield comments
        finally:
            await comments.stop()

    async def _comment(self) -> None:
        await self._start_events()
        await self._send({"type": "http.response.body", "body": COMMENT, "more_body": True})

    async def _start_events(self) -> None:
        if not self._is_started:
            await self._start(HTTPStatus.OK, _EVENTS)

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._is_started = True
        given = [*headers, NO_SNIFF]
        await self._send({"type": "http.response.start", "status": int(status), "headers": given})

    async def _put(self, content: bytes) -> None:
        self._is_short = True
        await self._send({"type": "http.response.body", "body": content, "more_body": True})
        self._is_short = False

    async def _end(self, content: bytes) -> None:
        self._is_ended = True
        await sent(self._last(content))

    async def _last(self, content: bytes) -> None:
        await self._send({"type": "http.response.body", "body": content})


class _Comments:
    """A task that writes a comment at every interval until it is stopped."""

    def __init__(self, write: Any, seconds: float, *, wanted: bool) -> None:
        self._write = write
        self._seconds = seconds
        self._task = asyncio.create_task(self._run()) if wanted else None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            await self._write()

    async def stop(self) -> None:
        """Write no more, from now on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None


def _error_of(content: bytes) -> str | None:
    """Return the message of an error in OpenAI's shape, None where it is none."""
    try:
        body: Any = json.loads(content)
    except (ValueError, RecursionError):
        return None
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else None
