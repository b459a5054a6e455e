"""Chats through the proxy, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from aiohttp import web

from buddy_common.adapters.http_guard import GuardedHttp
from fakes.http_gateway import TOKEN as GATEWAY_TOKEN
from fakes.http_gateway import HttpGateway, read
from proxy.conftest import TOKEN, Serve, Served, comes_true

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


async def test_images_of_megabytes_get_through(proxy: Served, gateway: HttpGateway) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"bytes": len(await request.text())})

    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 900_000}}
    gateway.answer = answer
    body = {"model": "openclaw/main", "messages": [{"role": "user", "content": [image]}]}
    response = await proxy.client.post(CHAT, json=body)
    assert response.json()["bytes"] > 900_000


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
