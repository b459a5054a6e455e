"""How a failure is answered, and its envelope; chats have OpenAI's shape instead."""

import json
from typing import Any

from starlette.types import Receive, Scope, Send

from buddy_common.errors import BuddyError

# no browser may take an answer for another kind of content than it says it is
NO_SNIFF = (b"x-content-type-options", b"nosniff")


def envelope(exc: BuddyError) -> dict[str, Any]:
    """Return the body that every failure of Buddy has."""
    return {
        "code": int(exc.status),
        "message": exc.message,
        "data": {"error": exc.error, **exc.detail},
    }


async def send_problem(send: Send, exc: BuddyError, body: dict[str, Any]) -> None:
    """Answer a request with a failure."""
    content = json.dumps(body, ensure_ascii=False).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", b"no-store"),
        NO_SNIFF,
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
