"""Clients that take nothing, or go in the middle: the gateway is let go, and no half answer looks whole."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest
from aiohttp import web

from buddy_common.errors import ClientTooSlowError, ShuttingDownError
from buddy_common.settings import ProxySettings
from buddy_proxy import eager
from buddy_proxy.chat_answer import ChatAnswer
from buddy_proxy.upstream import Upstream
from fakes.http_gateway import HttpGateway
from proxy.conftest import TOKEN, Served, comes_true
from proxy.raw_server import CHUNKED, Raw

Message = MutableMapping[str, Any]
CHAT = "/v1/openclaw/chat/completions"
WORD = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}\n\n'
EVENTS = CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Type: text/event-stream\r\n\r\n")


@pytest.mark.parametrize(
    ("path", "kind", "piece"),
    [
        (CHAT, "text/event-stream", WORD * 500),
        (CHAT, "application/json", b" " * 65536),
        ("/v1/proxy/film", "video/mp4", b" " * 65536),
    ],
)
async def test_who_never_reads_does_not_hold_the_gateway_for_ever(
    proxy: Served, gateway: HttpGateway, monkeypatch: pytest.MonkeyPatch, path: str, kind: str, piece: bytes
) -> None:
    monkeypatch.setattr(eager, "TAKE_SECONDS", 0.2)

    async def endless(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(headers={"Content-Type": kind})
        await response.prepare(request)
        while True:
            await response.write(piece)

    gateway.answer = endless
    body = b'{"stream":true}' if kind == "text/event-stream" else b"{}"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(head.encode() + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    async with asyncio.timeout(10):
        await gateway.left.wait()
    writer.transport.abort()


class Client:
    """What uvicorn sends to; it does not take what holds `stuck_at` until it `goes_on`."""

    def __init__(self, stuck_at: bytes) -> None:
        self._stuck_at = stuck_at
        self.is_stuck, self.goes_on = asyncio.Event(), asyncio.Event()
        self.got: list[Message] = []

    async def send(self, message: Message) -> None:
        if self._stuck_at in message.get("body", b""):
            self.is_stuck.set()
            await self.goes_on.wait()
        self.got.append(message)

    @property
    def has_end(self) -> bool:
        return any("body" in message and not message.get("more_body") for message in self.got)


def chat(upstream: Upstream, raw: Raw, client: Client) -> tuple[ChatAnswer, asyncio.Task[None]]:
    answer = ChatAnswer(client.send, ProxySettings(), streamed=True)
    opening = upstream.request("POST", raw.url, headers=[("Host", "x")], body=b"{}", silence_seconds=5.0)
    return answer, asyncio.create_task(answer.relay(opening))


@pytest.mark.parametrize("stuck_at", [b"[DONE]", b"hi"])
async def test_a_stream_that_lacks_a_piece_is_never_ended_as_if_it_were_whole(
    upstream: Upstream, raw: Raw, stuck_at: bytes
) -> None:
    events = WORD + b"data: [DONE]\n\n"
    raw.answers = [EVENTS + b"%x\r\n%b\r\n" % (len(events), events)]
    client = Client(stuck_at)
    answer, relaying = chat(upstream, raw, client)
    async with asyncio.timeout(5):
        await client.is_stuck.wait()

    relaying.cancel()
    await asyncio.gather(relaying, return_exceptions=True)
    client.goes_on.set()
    await answer.fail(ShuttingDownError())

    assert not client.has_end


async def test_a_stream_that_lacks_nothing_is_ended_with_an_error(upstream: Upstream, raw: Raw) -> None:
    raw.answers = [EVENTS + b"%x\r\n%b\r\n" % (len(WORD), WORD)]
    client = Client(b"nothing")
    answer, relaying = chat(upstream, raw, client)
    await comes_true(lambda: any(message.get("body") == WORD for message in client.got))

    relaying.cancel()
    await asyncio.gather(relaying, return_exceptions=True)
    await answer.fail(ShuttingDownError())

    assert client.has_end
    assert client.got[-1]["body"].endswith(b"data: [DONE]\n\n")


async def test_who_is_stuck_at_the_end_is_given_up(
    upstream: Upstream, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eager, "TAKE_SECONDS", 0.05)
    raw.answers = [EVENTS + b"%x\r\n%b\r\n0\r\n\r\n" % (len(WORD), WORD)]
    answer, relaying = chat(upstream, raw, Client(b"error"))
    async with asyncio.timeout(5):
        with pytest.raises(ClientTooSlowError):
            await relaying
        await answer.fail(ShuttingDownError())
