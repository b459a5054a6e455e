"""Chats whose client leaves, or whose proxy stops."""

import asyncio

import pytest
from aiohttp import web

from fakes.http_gateway import HttpGateway
from proxy.chats import ASK, CHAT, DONE, STREAM, WORD, error_in, streams
from proxy.conftest import Serve, Served, comes_true


@pytest.mark.parametrize("body", [STREAM, ASK])
async def test_a_client_that_leaves_ends_the_request_at_the_gateway(
    proxy: Served, gateway: HttpGateway, body: dict[str, object]
) -> None:
    reached = asyncio.Event()

    async def long(request: web.Request) -> web.StreamResponse:
        await request.read()
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    gateway.answer = long
    asking = asyncio.create_task(proxy.client.post(CHAT, json=body))
    async with asyncio.timeout(5):
        await reached.wait()
        asking.cancel()
    async with asyncio.timeout(1):
        await gateway.left.wait()
    await comes_true(lambda: len(proxy.wiring.running) == 0)


async def test_a_client_that_leaves_in_mid_stream_ends_the_request_at_the_gateway(
    proxy: Served, gateway: HttpGateway
) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        await request.read()
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b'data: {"choices":[{"delta":{"content":"The first"}}]}\n\n')
        await asyncio.Event().wait()
        return answer

    gateway.answer = half
    async with asyncio.timeout(5), proxy.client.stream("POST", CHAT, json=STREAM) as answer:
        async for line in answer.aiter_lines():
            if "The first" in line:
                break
    async with asyncio.timeout(1):
        await gateway.left.wait()
    await comes_true(lambda: len(proxy.wiring.running) == 0)


async def test_a_proxy_that_stops_lets_streams_finish_and_takes_no_new_ones(
    proxy: Served, gateway: HttpGateway
) -> None:
    go = asyncio.Event()
    gateway.answer = streams(WORD, go, WORD, DONE)
    async with proxy.client.stream("POST", CHAT, json=STREAM) as response:
        chunks = response.aiter_bytes()
        content = await anext(chunks)
        proxy.wiring.stopping.tell()
        refused = await proxy.client.post(CHAT, json=STREAM)
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "shutting_down"
        go.set()
        async for chunk in chunks:
            content += chunk
    assert content == WORD + WORD + DONE


async def test_a_stream_that_does_not_finish_in_time_is_told_so(serve: Serve, gateway: HttpGateway) -> None:
    gateway.answer = streams(WORD, asyncio.Event())
    async with serve(drain_seconds=0) as proxy:
        async with proxy.client.stream("POST", CHAT, json=STREAM) as response:
            chunks = response.aiter_text()
            text = await anext(chunks)
            proxy.wiring.stopping.tell()
            async with asyncio.timeout(5):
                async for chunk in chunks:
                    text += chunk
        assert error_in(text)["code"] == "shutting_down"
        async with asyncio.timeout(5):
            await gateway.left.wait()
