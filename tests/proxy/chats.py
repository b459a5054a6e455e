"""What a client asks in a chat, and streams that a gateway answers with."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
from aiohttp import web

CHAT = "/v1/openclaw/chat/completions"
ASK = {"model": "openclaw", "messages": [{"role": "user", "content": "hi"}]}
STREAM = {**ASK, "stream": True}
WORD = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}\n\n'
DONE = b"data: [DONE]\n\n"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def streams(*parts: bytes | asyncio.Event, status: int = 200) -> Handler:
    """Answer with these events; an Event is waited for."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(
            status=status, headers={"Content-Type": "text/event-stream; charset=utf-8"}
        )
        await response.prepare(request)
        for part in parts:
            if isinstance(part, asyncio.Event):
                await part.wait()
            else:
                await response.write(part)
        return response

    return answer


async def lines_of(response: httpx.Response) -> AsyncIterator[str]:
    async for line in response.aiter_lines():
        if line:
            yield line


def error_in(text: str) -> dict[str, str]:
    """Return the error of a stream that ends with one."""
    *_, error, done = [line for line in text.split("\n") if line.startswith("data:")]
    assert done == "data: [DONE]"
    found: dict[str, str] = json.loads(error[5:])["error"]
    return found
