"""Chat completions: checked, sent on, and passed back as they come. Plain ASGI, for it is the hot path."""

import asyncio
from http import HTTPStatus
from typing import Any

import structlog
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from buddy_common.adapters.http_guard import AT_ONCE
from buddy_common.errors import (
    BodyTooLargeError,
    BuddyError,
    GatewayRefusedError,
    GatewayUnreachableError,
    InvalidRequestError,
    ShuttingDownError,
)
from buddy_common.openai_error import openai_error
from buddy_proxy.chat_answer import ChatAnswer
from buddy_proxy.chat_body import ChatBody, prepare
from buddy_proxy.headers import to_gateway
from buddy_proxy.problems import send_problem
from buddy_proxy.running import LOOK_AFTER, End, disconnected
from buddy_proxy.target import Found
from buddy_proxy.wiring import Wiring

log = structlog.get_logger(__name__)

PATH = "/v1/chat/completions"
# what the older generation wants to hear, and the newer passes over
SCOPES = ("x-openclaw-scopes", "operator.write,operator.read")
# an answer is read on its way, so it must not be compressed
_OURS = frozenset({b"x-openclaw-scopes", b"x-buddy-node", b"origin", b"referer", b"accept-encoding"})
_AGENT = b"x-openclaw-agent-id"
# a body that stops coming in; a slow line gets any size through, as long as it moves
BODY_SECONDS = 60.0
# parsing more than this would hold up the streams of others
_PARSE_ASIDE_BYTES = 256 * 1024


class ClientLeftError(Exception):
    """The client hung up before it had sent all."""


class MethodNotAllowedError(BuddyError):
    """Chats are posted."""

    error = "method_not_allowed"
    status = HTTPStatus.METHOD_NOT_ALLOWED

    @property
    def headers(self) -> dict[str, str]:
        """Say what is allowed."""
        return {"Allow": "POST"}


class Chat:
    """`POST /v1/openclaw/chat/completions`."""

    def __init__(self, w: Wiring) -> None:
        self._w = w

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one chat; every failure comes in OpenAI's shape."""
        try:
            await self._serve(scope, receive, send)
        except ClientLeftError:
            pass
        except BuddyError as exc:
            log.info("chat_refused", error=exc.error, reason=exc.message)
            await send_problem(send, exc, openai_error(exc))

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            raise MethodNotAllowedError("Send chats by POST.")
        if self._w.stopping:
            raise ShuttingDownError
        operator = await self._w.authenticator.authenticate(HTTPConnection(scope))
        with self._w.clients.enter(operator.address):
            content = await _read(receive, limit=self._w.config.proxy.max_chat_bytes)
            found = await self._w.target.find()
            body = await _prepared(content, found, scope)
            answer = ChatAnswer(send, self._w.config.proxy, streamed=body.streamed)
            if body.streamed and (at_once := scope.get("extensions", {}).get(AT_ONCE)):
                at_once["call"]()
            end = await self._w.running.until_left(
                self._exchange(scope, body, found, answer),
                lambda: disconnected(receive),
                look_after=LOOK_AFTER,
            )
            if end is End.STOPPED:
                await answer.fail(ShuttingDownError())

    async def _exchange(self, scope: Scope, body: ChatBody, found: Found, answer: ChatAnswer) -> None:
        """Send the chat on and relay what comes; a failure ends the answer, whatever of it is out."""
        try:
            given: Any = [header for header in scope["headers"] if header[0] not in _OURS]
            headers = to_gateway(given, authority=found.authority, token=found.place.token)
            request = self._w.upstream.request(
                "POST",
                f"{found.origin}{PATH}",
                headers=[*headers, SCOPES],
                body=body.content,
                silence_seconds=self._w.config.proxy.silence_seconds,
            )
            await answer.relay(request)
        except BuddyError as exc:
            if isinstance(exc, (GatewayUnreachableError, GatewayRefusedError)):
                self._w.target.forget()
            log.warning("chat_failed", error=exc.error, reason=exc.message)
            await answer.fail(exc)


async def _prepared(content: bytes, found: Found, scope: Scope) -> ChatBody:
    names_agent = any(name == _AGENT for name, _ in scope["headers"])

    def work() -> ChatBody:
        return prepare(content, default_bot=found.default_bot, bots=found.bots, names_agent=names_agent)

    return await asyncio.to_thread(work) if len(content) > _PARSE_ASIDE_BYTES else work()


async def _read(receive: Receive, *, limit: int) -> bytes:
    """Return the whole body.

    Raises:
        BodyTooLargeError: it has more bytes than a chat may have.
        InvalidRequestError: it stopped coming in.
        ClientLeftError: there is nobody left to answer.
    """
    parts = []
    size = 0
    more = True
    while more:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                message = await receive()
        except TimeoutError as exc:
            raise InvalidRequestError(f"The body stopped coming in for {BODY_SECONDS:.0f} s.") from exc
        if message["type"] == "http.disconnect":
            raise ClientLeftError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise BodyTooLargeError(limit)
        more = message.get("more_body", False)
    return b"".join(parts)
