"""Chats through the proxy, over real sockets."""

import asyncio
import json

import pytest
from aiohttp import web

from buddy_common.adapters.http_guard import GuardedHttp
from fakes.http_gateway import TOKEN as GATEWAY_TOKEN
from fakes.http_gateway import HttpGateway, read
from proxy.chats import ASK, CHAT, DONE, STREAM, WORD, lines_of, streams
from proxy.conftest import TOKEN, Served


async def test_a_chat_arrives_with_the_gateways_credentials_and_without_ours(
    proxy: Served, gateway: HttpGateway
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        gateway.seen.append(await read(request))
        return web.json_response({"id": "chatcmpl_1", "choices": []}, headers={"Set-Cookie": "a=b"})

    gateway.answer = answer
    response = await proxy.client.post(
        CHAT,
        json={**ASK, "user": "alice", "tools": [{"type": "function"}]},
        headers={
            "x-openclaw-session-key": "thread",
            "x-openclaw-scopes": "operator.admin",
            "X-Forwarded-For": "1.2.3.4",
            "Cookie": f"guardian_token={TOKEN}",
            "Origin": proxy.url,
        },
    )

    assert response.json() == {"id": "chatcmpl_1", "choices": []}
    assert response.headers["content-type"].startswith("application/json")
    assert "set-cookie" not in response.headers
    assert response.headers["x-request-id"]
    (seen,) = gateway.seen
    assert (seen.method, seen.path) == ("POST", "/v1/chat/completions")
    assert seen.headers["authorization"] == f"Bearer {GATEWAY_TOKEN}"
    assert seen.headers["host"] == f"127.0.0.1:{gateway.port}"
    assert seen.headers["x-openclaw-session-key"] == "thread"
    assert seen.headers["x-openclaw-scopes"] == "operator.write,operator.read"
    assert json.loads(seen.body) == {
        **ASK, "model": "openclaw/main", "user": "alice", "tools": [{"type": "function"}],
    }  # fmt: skip
    assert TOKEN not in str(seen.headers)
    assert not {"cookie", "origin", "x-forwarded-for", "accept-encoding"} & set(seen.headers)


async def test_no_browser_may_guess_what_an_answer_is(proxy: Served, gateway: HttpGateway) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.json_response({"id": "chatcmpl_1"}, headers={"X-Content-Type-Options": "nosniff"})

    gateway.answer = answer
    answers = [await proxy.client.post(CHAT, json=ASK), await proxy.stranger.post(CHAT, json=ASK)]
    gateway.answer = streams(WORD, DONE)
    answers.append(await proxy.client.post(CHAT, json=STREAM))

    assert [answer.status_code for answer in answers] == [200, 401, 200]
    assert [answer.headers.get_list("x-content-type-options") for answer in answers] == [["nosniff"]] * 3


async def test_one_connection_to_the_gateway_serves_one_request_after_the_other(
    proxy: Served, gateway: HttpGateway
) -> None:
    for _ in range(3):
        gateway.answer = streams(WORD, DONE)
        assert (await proxy.client.post(CHAT, json=STREAM)).content == WORD + DONE
        gateway.answer = fine
        assert (await proxy.client.post(CHAT, json=ASK)).json() == {"ok": 1}
        assert (await proxy.client.get("/v1/proxy/x")).json() == {"ok": 1}
    assert gateway.connections == 1


async def fine(request: web.Request) -> web.StreamResponse:
    await request.read()
    return web.json_response({"ok": 1})


async def test_a_stream_comes_as_it_is_written_and_unbuffered(proxy: Served, gateway: HttpGateway) -> None:
    go = asyncio.Event()
    gateway.answer = streams(WORD, go, WORD, DONE)

    async with proxy.client.stream("POST", CHAT, json=STREAM) as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["x-accel-buffering"] == "no"
        lines = lines_of(response)
        async with asyncio.timeout(5):
            assert await anext(lines) == WORD.decode().strip()  # while the gateway still waits
        go.set()
        assert [line async for line in lines] == [WORD.decode().strip(), "data: [DONE]"]


@pytest.mark.parametrize("streamed", [True, False])
async def test_pieces_of_a_stream_wait_for_nothing_else_to_be_read(
    proxy: Served, gateway: HttpGateway, monkeypatch: pytest.MonkeyPatch, *, streamed: bool
) -> None:
    asked: list[GuardedHttp] = []
    monkeypatch.setattr(GuardedHttp, "_write_at_once", lambda guard: asked.append(guard))  # noqa: PLW0108 - a method
    await proxy.client.post(CHAT, json={"stream": streamed, "messages": []})
    assert len(asked) == streamed


async def test_images_of_megabytes_get_through(proxy: Served, gateway: HttpGateway) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"bytes": len(await request.text())})

    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 900_000}}
    gateway.answer = answer
    body = {"model": "openclaw/main", "messages": [{"role": "user", "content": [image]}]}
    response = await proxy.client.post(CHAT, json=body)
    assert response.json()["bytes"] > 900_000
