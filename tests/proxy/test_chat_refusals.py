"""Chats that the proxy refuses by itself."""

import asyncio

from fakes.http_gateway import HttpGateway
from proxy.chats import ASK, CHAT, DONE, STREAM, WORD, streams
from proxy.conftest import TOKEN, Serve, Served, comes_true


async def test_a_stranger_gets_a_401_in_the_shape_of_openai(proxy: Served, gateway: HttpGateway) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "guardian_token=wrong"}):
        response = await proxy.stranger.post(CHAT, json=ASK, headers=headers)
        assert response.status_code == 401
        assert response.json()["error"]["type"] == "authentication_error"
    assert gateway.seen == []


async def test_a_page_of_another_site_cannot_chat_with_the_cookie(proxy: Served) -> None:
    headers = {"Cookie": f"guardian_token={TOKEN}", "Origin": "https://evil.example"}
    refused = await proxy.stranger.post(CHAT, json=ASK, headers=headers)
    own = await proxy.stranger.post(CHAT, json=ASK, headers={**headers, "Origin": proxy.url})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "cross_origin")
    assert own.status_code == 200


async def test_anything_but_a_post_is_a_405(proxy: Served) -> None:
    response = await proxy.client.get(CHAT)
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert response.json()["error"]["message"]


async def test_an_unknown_bot_is_a_404(proxy: Served) -> None:
    response = await proxy.client.post(CHAT, json={**ASK, "model": "openclaw/nope"})
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"


async def test_a_body_above_the_limit_is_a_413(serve: Serve) -> None:
    async with serve(max_chat_bytes=1000) as proxy:
        response = await proxy.client.post(CHAT, content=b"x" * 1001)
    assert response.status_code == 413


async def test_one_client_cannot_have_all_connections(serve: Serve, gateway: HttpGateway) -> None:
    gateway.answer = streams(WORD, asyncio.Event())
    async with serve(connections_per_client=1) as proxy:
        async with proxy.client.stream("POST", CHAT, json=STREAM) as first:
            await anext(first.aiter_raw())
            second = await proxy.client.post(CHAT, json=STREAM)
            assert second.status_code == 429
            assert second.headers["retry-after"]
            assert second.json()["error"]["type"] == "rate_limit_error"
        await comes_true(lambda: not proxy.wiring.clients._open)
        gateway.answer = streams(WORD, DONE)
        assert (await proxy.client.post(CHAT, json=STREAM)).status_code == 200
