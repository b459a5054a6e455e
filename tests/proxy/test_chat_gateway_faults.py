"""Chats of a gateway that fails or is killed."""

import asyncio

import pytest
from aiohttp import web

from fakes.http_gateway import HttpGateway
from proxy.chats import ASK, CHAT, DONE, STREAM, WORD, error_in, streams
from proxy.conftest import Served


async def test_a_gateway_killed_in_mid_stream_is_an_error_at_once_and_heals_by_itself(
    proxy: Served, gateway: HttpGateway
) -> None:
    gateway.answer = streams(WORD, asyncio.Event())
    async with proxy.client.stream("POST", CHAT, json=STREAM) as response:
        chunks = response.aiter_text()
        text = await anext(chunks)
        await gateway.stop()
        async with asyncio.timeout(5):
            async for chunk in chunks:
                text += chunk
    assert error_in(text)["code"] == "stream_broken"

    down = await proxy.client.post(CHAT, json=STREAM)
    assert down.status_code == 502
    assert down.json()["error"]["code"] == "gateway_unreachable"
    assert "/v1/gateway/start" in down.json()["error"]["message"]

    await gateway.start()
    gateway.answer = streams(WORD, DONE)
    assert (await proxy.client.post(CHAT, json=STREAM)).content == WORD + DONE


async def test_a_stream_of_only_its_end_is_an_error(proxy: Served, gateway: HttpGateway) -> None:
    gateway.answer = streams(DONE)
    text = (await proxy.client.post(CHAT, json=STREAM)).text
    assert error_in(text)["code"] == "gateway_answer"


@pytest.mark.parametrize(
    ("status", "content", "kind", "expected", "code"),
    [
        (404, b"Not Found", "text/plain", 403, "chat_disabled"),
        (405, b"Method Not Allowed", "text/plain", 403, "chat_disabled"),
        (200, b"<html>", "text/html", 403, "chat_disabled"),
        (401, b'{"error":{"message":"Unauthorized"}}', "application/json", 502, "gateway_refused"),
        (500, b"oops", "text/plain", 502, "gateway_answer"),
        (302, b"", "text/plain", 502, "gateway_answer"),
        (400, b'{"error":{"message":"Missing user message","code":"z"}}', "application/json", 400, "z"),
        (503, b'{"error":{"message":"draining","code":"gateway_unavailable"}}', "application/json", 503,
         "gateway_unavailable"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("body", [STREAM, ASK])
async def test_a_failure_of_the_gateway_comes_in_the_shape_of_openai(
    proxy: Served,
    gateway: HttpGateway,
    *,
    body: dict[str, object],
    status: int,
    content: bytes,
    kind: str,
    expected: int,
    code: str,
) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=content, headers={"Content-Type": kind})

    gateway.answer = answer
    response = await proxy.client.post(CHAT, json=body)

    assert response.status_code == expected
    assert response.json()["error"]["code"] == code
    assert response.json()["error"]["message"]
