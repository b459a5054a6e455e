"""Chats of a gateway that says nothing for a while, or never."""

import asyncio

import pytest
from aiohttp import web

from fakes.http_gateway import HttpGateway
from proxy.chats import ASK, CHAT, DONE, STREAM, WORD, error_in, lines_of, streams
from proxy.conftest import Serve


@pytest.mark.parametrize("headers_first", [True, False])
async def test_silence_is_bridged_with_comments(
    serve: Serve, gateway: HttpGateway, *, headers_first: bool
) -> None:
    go = asyncio.Event()
    quick = streams(WORD, go, WORD, DONE)

    async def late(request: web.Request) -> web.StreamResponse:
        if not headers_first:
            await go.wait()
        return await quick(request)

    gateway.answer = late
    async with (
        serve(comment_seconds=0.1) as proxy,
        proxy.client.stream("POST", CHAT, json=STREAM) as response,
    ):
        assert response.status_code == 200
        seen = []
        async for line in lines_of(response):
            seen.append(line)
            if line.startswith(": ") and seen.count(line) == 3:
                go.set()
    assert seen[-2:] == [WORD.decode().strip(), "data: [DONE]"]
    assert sum(line.startswith("data: {") for line in seen) == 2


async def test_an_answer_that_is_no_stream_gets_no_comments(serve: Serve, gateway: HttpGateway) -> None:
    go = asyncio.Event()

    async def late(_request: web.Request) -> web.StreamResponse:
        await go.wait()
        return web.json_response({"choices": []})

    gateway.answer = late
    async with serve(comment_seconds=0.05) as proxy:
        asking = asyncio.create_task(proxy.client.post(CHAT, json=ASK))
        assert not (await asyncio.wait((asking,), timeout=0.3))[0]
        go.set()
        assert (await asking).content == b'{"choices": []}'


async def test_a_refusal_after_a_comment_becomes_an_event(serve: Serve, gateway: HttpGateway) -> None:
    go = asyncio.Event()

    async def late(_request: web.Request) -> web.StreamResponse:
        await go.wait()
        return web.json_response({"error": {"message": "no such thing", "type": "x"}}, status=400)

    gateway.answer = late
    async with (
        serve(comment_seconds=0.05) as proxy,
        proxy.client.stream("POST", CHAT, json=STREAM) as response,
    ):
        text = ""
        async for piece in response.aiter_text():
            text += piece
            go.set()
    assert error_in(text)["message"] == "no such thing"


async def test_silence_without_end_ends_with_an_error(serve: Serve, gateway: HttpGateway) -> None:
    gateway.answer = streams(WORD, asyncio.Event())
    async with serve(comment_seconds=0.1, silence_seconds=0.3) as proxy:
        text = (await proxy.client.post(CHAT, json=STREAM)).text
        assert error_in(text)["code"] == "gateway_silent"
        async with asyncio.timeout(5):
            await gateway.left.wait()


async def test_a_gateway_that_never_answers_is_a_504(serve: Serve, gateway: HttpGateway) -> None:
    async def never(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    gateway.answer = never
    async with serve(silence_seconds=0.2) as proxy:
        response = await proxy.client.post(CHAT, json=ASK)
    assert response.status_code == 504
    assert response.json()["error"]["code"] == "gateway_silent"
