"""Clients that mean harm, byte by byte: refused or survived, and others are served meanwhile."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta

import psutil
import pytest
from aiohttp import web
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from buddy_common.adapters import http_guard
from buddy_common.db import grants
from buddy_common.db.grants import GrantKind
from fakes.http_gateway import TOKEN as GATEWAY_TOKEN
from fakes.http_gateway import HttpGateway, Seen, read
from proxy.conftest import TOKEN, Served, comes_true

AUTH = f"Authorization: Bearer {TOKEN}\r\n".encode()
CHAT = b"/v1/openclaw/chat/completions"


async def exchange(proxy: Served, request: bytes) -> bytes:
    """Send bytes as they are and return all that comes until the connection closes or falls silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(request)
    answer = b""
    try:
        async with asyncio.timeout(1):
            while part := await reader.read(65536):
                answer += part
    except TimeoutError:
        pass
    writer.close()
    return answer


@pytest.fixture
def seen(gateway: HttpGateway) -> Iterator[list[tuple[str, str, bytes]]]:
    """What reached the gateway, which answers everything with 200; our token must not be in it."""
    found: list[tuple[str, str, bytes]] = []
    all_of_them: list[Seen] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        came = await read(request)
        found.append((came.method, came.path, came.body))
        all_of_them.append(came)
        return web.json_response({})

    gateway.answer = answer
    yield found
    for came in all_of_them:
        assert came.headers["host"] == f"127.0.0.1:{gateway.port}"
        assert came.headers["authorization"] == f"Bearer {GATEWAY_TOKEN}"
        assert TOKEN not in str(came)


SMUGGLED = b"GET /admin HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        b"Content-Length: 4\r\nContent-Length: 40\r\n",
        b"Content-Length: +4\r\n",
        b"Content-Length: 4, 4\r\n",
        b"Content-Length: -1\r\n",
        b"Transfer-Encoding: identity, chunked, identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b" Transfer-Encoding: chunked\r\n",
        b"X: a\rTransfer-Encoding: chunked\r\n",
    ],
)
async def test_no_second_request_is_smuggled_past_the_first(
    proxy: Served, seen: list[tuple[str, str, bytes]], head: bytes
) -> None:
    body = b"0\r\n\r\n" + SMUGGLED
    await exchange(proxy, b"POST /v1/proxy/api/x HTTP/1.1\r\nHost: x\r\n" + AUTH + head + b"\r\n" + body)

    assert all(path == "/api/x" for _, path, _ in seen)
    assert len(seen) <= 1


@pytest.mark.parametrize(
    "target",
    [
        b"http://169.254.169.254/v1/proxy/x",
        b"http://evil.example/v1/proxy/x",
        b"//evil.example/v1/proxy/x",
        b"/v1/proxy/http://evil.example/",
    ],
)
async def test_the_target_never_decides_whom_we_ask(
    proxy: Served, seen: list[tuple[str, str, bytes]], target: bytes
) -> None:
    answer = await exchange(
        proxy, b"GET " + target + b" HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n" + AUTH + b"\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 ")
    assert {path for _, path, _ in seen} <= {"/x", "/http://evil.example/"}


@pytest.mark.parametrize(
    "target",
    [
        b"/v1/proxy/../openclaw/chat/completions", b"/v1/proxy/%2e%2e/x", b"/v1/proxy/a%2f..%2fb",
        b"/v1/proxy/..%5cx", b"/v1/proxy/a%0d%0aX-Evil:1", b"/v1/proxy/%00",
    ],
)  # fmt: skip
async def test_paths_that_climb_reach_nobody(
    proxy: Served, seen: list[tuple[str, str, bytes]], target: bytes
) -> None:
    answer = await exchange(
        proxy, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + AUTH + b"\r\n"
    )
    assert answer.split()[1] in {b"400", b"404"}
    assert seen == []


async def test_line_breaks_in_what_comes_back_make_no_headers(proxy: Served) -> None:
    answer = await exchange(
        proxy,
        b"GET /v1/proxy/x HTTP/1.1\r\nHost: x\r\nX-Request-ID: a\x0bSet-Cookie:b\r\nConnection: close\r\n"
        + AUTH + b"\r\n",
    )  # fmt: skip
    assert b"set-cookie" not in answer.lower()


async def test_headers_that_never_end_after_a_body_are_cut_off(proxy: Served) -> None:
    endless = b"a: b\r\n" * (2 * http_guard.MAX_HEAD_BYTES)  # more than one read takes
    head = b"GET /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    try:
        answer = await exchange(proxy, head + endless)
    except ConnectionError:  # it closes with bytes unread
        answer = b"HTTP/1.1 431 "

    assert b"HTTP/1.1 431 " in answer


async def test_a_head_without_end_is_cut_off(proxy: Served) -> None:
    answer = await exchange(
        proxy, b"GET /health HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * http_guard.MAX_HEAD_BYTES
    )
    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_a_body_of_the_same_size_is_no_head(proxy: Served, seen: list[tuple[str, str, bytes]]) -> None:
    response = await proxy.client.post("/v1/proxy/x", content=b"a" * (2 * http_guard.MAX_HEAD_BYTES))
    again = await proxy.client.post("/v1/proxy/y", content=b"a" * (2 * http_guard.MAX_HEAD_BYTES))
    assert (response.status_code, again.status_code) == (200, 200)
    assert [len(body) for *_, body in seen] == [2 * http_guard.MAX_HEAD_BYTES] * 2


async def test_clients_that_send_a_byte_now_and_then_are_cut_off_and_hold_nobody_up(
    proxy: Served, monkeypatch: pytest.MonkeyPatch, seen: list[tuple[str, str, bytes]]
) -> None:
    monkeypatch.setattr(http_guard, "HEAD_SECONDS", 0.5)
    slow = [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(200)]
    for _, writer in slow:
        writer.write(b"GET /health HTTP/1.1\r\nX: ")
    assert (await proxy.client.get("/v1/proxy/x")).status_code == 200

    for reader, writer in slow:
        async with asyncio.timeout(5):
            assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
        writer.close()
    assert len(seen) == 1


async def test_half_a_head_behind_a_running_answer_puts_nothing_into_that(
    proxy: Served, gateway: HttpGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_guard, "HEAD_SECONDS", 0.3)

    async def stream(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b"data: 1\n\n")
        await asyncio.Event().wait()
        return answer

    gateway.answer = stream
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(
        b"GET /v1/proxy/events HTTP/1.1\r\nHost: x\r\n" + AUTH + b"\r\nGET /v1/proxy/half HTTP/1.1\r\nX"
    )

    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1") == 1


async def ticket_of(proxy: Served, *, seconds: float) -> str:
    return await proxy.wiring.database.run(
        lambda session: grants.issue(
            session,
            GrantKind.TICKET,
            key=proxy.wiring.authenticator.key,
            lifetime=timedelta(seconds=seconds),
            address=None,
        )
    )


async def test_a_ticket_opens_once_and_not_when_it_is_old(
    proxy: Served, seen: list[tuple[str, str, bytes]]
) -> None:
    ticket = await ticket_of(proxy, seconds=60)
    expired = await ticket_of(proxy, seconds=-1)
    statuses = [
        (await proxy.stranger.get("/v1/proxy/x", params={"ticket": each, "y": "1"})).status_code
        for each in (ticket, ticket, expired, TOKEN)
    ]
    posted = await proxy.stranger.post("/v1/proxy/x", params={"ticket": await ticket_of(proxy, seconds=60)})

    assert statuses == [200, 401, 401, 401]
    assert posted.status_code == 401
    assert [path for _, path, _ in seen] == ["/x?y=1"]  # and it is not handed on


@pytest.mark.parametrize("path", ["/v1/proxy", "/v1/proxy/x"])
async def test_a_websocket_with_a_used_ticket_or_of_another_site_is_refused(proxy: Served, path: str) -> None:
    used = await ticket_of(proxy, seconds=60)
    await proxy.stranger.get("/v1/proxy/x", params={"ticket": used})
    fresh = await ticket_of(proxy, seconds=60)
    url = f"ws://127.0.0.1:{proxy.port}{path}"
    for ticket, origin, status in ((used, proxy.url, 401), (fresh, "https://evil.example", 403)):
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"{url}?ticket={ticket}", additional_headers={"Origin": origin}, proxy=None):
                pass
        assert refused.value.response.status_code == status


async def abort(proxy: Served, number: int) -> None:
    """Hang up at another place each time: in the head, in the body, while the answer is awaited."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    body = b'{"stream": true, "messages": []}'
    whole = b"POST " + CHAT + b" HTTP/1.1\r\nHost: x\r\n" + AUTH
    whole += b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
    writer.write(whole[: len(whole) * (number % 4 + 1) // 4])
    await writer.drain()
    if number % 4 == 3:
        await asyncio.sleep(0)
    writer.transport.abort()
    del reader


@pytest.mark.parametrize(
    "count", [400, pytest.param(10_000, marks=[pytest.mark.faults, pytest.mark.timeout(200)])]
)
async def test_aborted_requests_leave_nothing_behind(proxy: Served, gateway: HttpGateway, count: int) -> None:
    async def wait(request: web.Request) -> web.StreamResponse:
        await request.read()
        await asyncio.Event().wait()
        raise AssertionError

    gateway.answer = wait
    for number in range(40):
        await abort(proxy, number)
    await comes_true(lambda: len(proxy.wiring.running) == 0)
    process = psutil.Process()
    open_before, memory_before = process.num_fds(), process.memory_info().rss
    for start in range(0, count, 50):
        await asyncio.gather(*(abort(proxy, number) for number in range(start, start + 50)))
    await comes_true(lambda: len(proxy.wiring.running) == 0 and not proxy.wiring.clients._open)
    await comes_true(lambda: process.num_fds() < open_before + 20)
    assert process.memory_info().rss < memory_before + 64 * 1024 * 1024

    gateway.answer = fine
    assert (await proxy.client.post(CHAT.decode(), json={})).json() == {"ok": 1}


async def fine(_request: web.Request) -> web.StreamResponse:
    return web.json_response({"ok": 1})


async def test_no_token_stands_in_any_answer_or_log(
    proxy: Served, gateway: HttpGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    await gateway.stop()
    ticket = await ticket_of(proxy, seconds=60)
    answers = [
        await proxy.client.get("/v1/proxy/x", params={"token": TOKEN}),
        await proxy.client.post(CHAT.decode(), json={}),
        await proxy.stranger.get("/v1/proxy/x", params={"ticket": ticket}),
        await proxy.stranger.post(CHAT.decode(), headers={"Authorization": f"Bearer {TOKEN}x"}),
        await proxy.client.get("/v1/proxy/%2e%2e/"),
    ]
    said = json.dumps([[answer.text, dict(answer.headers)] for answer in answers])
    logged = "\n".join(
        line
        for line in capsys.readouterr().out.split("\n")
        if "httpx" not in line and "uvicorn.access" not in line
    )
    for secret in (TOKEN, GATEWAY_TOKEN, ticket):
        assert secret not in said
        assert secret not in logged


@pytest.mark.parametrize("path", ["/v1/proxy/x", CHAT.decode()])
async def test_wrong_tokens_are_limited_and_the_right_one_gets_in(
    proxy: Served, seen: list[tuple[str, str, bytes]], path: str
) -> None:
    guesses = [
        await proxy.stranger.post(path, json={}, headers={"Authorization": f"Bearer guess-{number}"})
        for number in range(6)
    ]
    assert [answer.status_code for answer in guesses] == [401] * 5 + [429]
    assert int(guesses[-1].headers["retry-after"]) >= 1
    with pytest.raises(InvalidStatus) as refused:
        async with connect(
            f"ws://127.0.0.1:{proxy.port}/v1/ws/logs", additional_headers={"Authorization": "x"}, proxy=None
        ):
            pass
    assert refused.value.response.status_code == 429
    assert (await proxy.client.post("/v1/proxy/x")).status_code == 200
    assert len(seen) == 1
