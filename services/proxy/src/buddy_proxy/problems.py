"""What a failure looks like: the envelope for most, OpenAI's shape for chats."""

import json
from http import HTTPStatus
from typing import Any

from starlette.types import Receive, Scope, Send

from buddy_common.errors import BuddyError


def envelope(exc: BuddyError) -> dict[str, Any]:
    """Return the body that every failure of Buddy has."""
    return {
        "code": int(exc.status),
        "message": exc.message,
        "data": {"error": exc.error, **exc.detail},
    }


_KINDS = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
}


def openai_error(exc: BuddyError) -> dict[str, Any]:
    """Return the body that clients of the chat API understand."""
    kind = "server_error" if exc.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    return {
        "error": {
            "message": exc.message,
            "type": _KINDS.get(exc.status, kind),
            "param": None,
            "code": exc.error,
        }
    }


async def send_problem(send: Send, exc: BuddyError, body: dict[str, Any]) -> None:
    """Answer a request with a failure."""
    content = json.dumps(body, ensure_ascii=False).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", b"no-store"),
        *((name.lower().encode(), value.encode()) for name, value in exc.headers.items()),
    ]
    await send({"type": "http.response.start", "status": int(exc.status), "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def refuse_socket(scope: Scope, receive: Receive, send: Send, exc: BuddyError) -> None:
    """Answer an upgrade with a failure: as HTTP where the server can, for browsers show no reason anyway."""
    await receive()  # the connect message
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": exc.error})
        return
    content = json.dumps(envelope(exc), ensure_ascii=False).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        *((name.lower().encode(), value.encode()) for name, value in exc.headers.items()),
    ]
    await send({"type": "websocket.http.response.start", "status": int(exc.status), "headers": headers})
    await send({"type": "websocket.http.response.body", "body": content})
