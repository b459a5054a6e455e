"""Bodies are nobody's business before it is known who sends them, and none of them takes for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import Message

from api.conftest import TOKEN, Api, Served, login_of
from buddy_api import bodies
from buddy_api.bodies import STRANGERS_BYTES, ask_before_reading
from buddy_common.adapters import http_guard
from buddy_common.adapters.access import COOKIE


class Unread:
    """A client that sends a head and waits: whoever reads its body waits, too."""

    def __init__(self, method: str, path: str, *headers: tuple[bytes, bytes]) -> None:
        named = [(b"host", b"x"), (b"content-length", b"100"), (b"content-type", b"application/json")]
        self.scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "http_version": "1.1",
            "headers": [*named, *headers],
            "client": ("203.0.113.9", 1),
            "server": ("x", 80),
        }
        self.was_read = asyncio.Event()
        self.status = 0

    async def receive(self) -> Message:
        self.was_read.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: Any) -> None:
        self.status = message.get("status", self.status)


def routes_with_a_body(api: Api) -> list[tuple[str, str]]:
    return [
        (method, route.path.replace(":path}", "}").replace("{", "").replace("}", ""))
        for route in api.app.routes
        if isinstance(route, APIRoute) and route.body_field is not None
        for method in route.methods or ()
    ]


async def test_no_body_of_a_stranger_is_read_but_that_of_a_login(api: Api) -> None:
    found = routes_with_a_body(api)
    assert len(found) > 10
    for method, path in found:
        client = Unread(method, path)
        if path == "/login":
            continue
        async with asyncio.timeout(2):
            await api.app(client.scope, client.receive, client.send)
        assert (client.status, client.was_read.is_set()) == (401, False), path


async def test_a_second_app_of_the_process_asks_no_more_often(app: FastAPI) -> None:
    before = [route.app for route in app.routes if isinstance(route, APIRoute)]
    ask_before_reading(app)
    assert [route.app for route in app.routes if isinstance(route, APIRoute)] == before


async def test_a_cookie_from_another_site_is_refused_before_its_body_is_read(api: Api) -> None:
    client = Unread("POST", "/v1/openclaw/bots/add", (b"cookie", f"{COOKIE}={TOKEN}".encode()))
    async with asyncio.timeout(2):
        await api.app(client.scope, client.receive, client.send)
    assert (client.status, client.was_read.is_set()) == (403, False)


async def test_a_session_is_looked_up_once_for_a_request(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await login_of(api)
    asked = 0
    authenticate = api.wiring.authenticator.authenticate

    async def count(*arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        return await authenticate(*arguments)

    monkeypatch.setattr(api.wiring.authenticator, "authenticate", count)
    answer = await api.stranger.post(
        "/v1/gateway/stop", json={"force": True}, headers={"Origin": "http://buddy.test"}
    )
    assert answer.status_code == 202
    assert asked == 1


async def test_a_stranger_sends_no_more_than_a_token_needs(api: Api) -> None:
    answer = await api.stranger.post("/login", content=b"x" * (STRANGERS_BYTES + 1))
    assert answer.status_code == 413
    assert answer.json()["data"]["limit_bytes"] == STRANGERS_BYTES


async def test_a_body_that_comes_byte_by_byte_is_408_and_the_end(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.5)
    monkeypatch.setattr(http_guard, "LINGER_SECONDS", 0.3)
    async with dripping(served, "POST", "/login") as reader, asyncio.timeout(4):
        answer = await to_the_end(reader)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"error":"body_too_slow"' in answer


@pytest.mark.parametrize("path", ["/health", "/v1/openclaw/bots/add"])
async def test_who_has_an_answer_cannot_go_on_sending_for_ever(
    served: Served, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(http_guard, "LINGER_SECONDS", 0.3)
    async with dripping(served, "GET" if path == "/health" else "POST", path) as reader, asyncio.timeout(4):
        answer = await to_the_end(reader)
    assert answer.startswith(b"HTTP/1.1 200 " if path == "/health" else b"HTTP/1.1 401 ")


async def to_the_end(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the connection closes; it does so with bytes unread, so it may break."""
    found = b""
    with suppress(ConnectionError):
        while part := await reader.read(65536):
            found += part
    return found


@asynccontextmanager
async def dripping(served: Served, method: str, path: str) -> AsyncIterator[asyncio.StreamReader]:
    """Send a byte of a body now and then, as long as the block runs."""
    url = served.client.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n".encode())

    async def drip() -> None:
        while True:
            writer.write(b"a")
            await asyncio.sleep(0.02)

    task = asyncio.create_task(drip())
    try:
        yield reader
    finally:
        task.cancel()
        writer.close()


async def test_who_sends_the_rest_after_the_answer_keeps_the_connection(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_guard, "LINGER_SECONDS", 0.3)
    reader, writer = await asyncio.open_connection(served.client.base_url.host, served.client.base_url.port)
    get = b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    writer.write(get % 2 + b"a")
    await answer_of(reader)
    writer.write(b"b")
    writer.write(get % 0)
    assert b" 200 " in await answer_of(reader)
    await asyncio.sleep(0.5)  # longer than a refused body would have had
    writer.write(get % 0)
    assert b" 200 " in await answer_of(reader)
    writer.close()


async def answer_of(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(4):
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
    return head
