"""People are told, whatever is wrong with one address, and no secret shows."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog

from buddy_common.adapters.alerts import Alerts, Delivery, without_secrets
from buddy_common.settings import AlertSettings

SECRET = "tok3n-5ecret"
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


def alerts(*urls: str, deadline_seconds: float = 5) -> Alerts:
    return Alerts(AlertSettings(urls=" ".join(urls)), deadline_seconds=deadline_seconds)


@asynccontextmanager
async def webhook(answer: Answer) -> AsyncIterator[str]:
    """Serve one webhook and return its address."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield f"json://127.0.0.1:{port}/{SECRET}"
    server.close()


class Hook:
    """Takes everything, and answers with one status."""

    def __init__(self, status: str = "200 OK") -> None:
        self.status = status
        self.bodies: list[dict[str, Any]] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        self.bodies.append(json.loads(await reader.readexactly(length)))
        writer.write(f"HTTP/1.1 {self.status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


async def test_an_alert_reaches_all_addresses() -> None:
    one, two = Hook(), Hook()
    async with webhook(one.answer) as first, webhook(two.answer) as second:
        found = await alerts(first, second).notify("标题", "body\nof two lines")

    assert found == [Delivery("#1 JSON", ok=True), Delivery("#2 JSON", ok=True)]
    for hook in (one, two):
        assert [(body["title"], body["message"]) for body in hook.bodies] == [("标题", "body\nof two lines")]


async def test_one_that_fails_keeps_nobody_else_from_being_told() -> None:
    good, bad = Hook(), Hook("500 Internal Server Error")
    async with webhook(bad.answer) as first, webhook(good.answer) as second:
        with structlog.testing.capture_logs() as logged:
            found = await alerts(first, "nonsense://x", second).notify("t", "b")

    assert [delivery.ok for delivery in found] == [False, False, True]
    assert "500" in str(found[0].problem)
    assert [entry["event"] for entry in logged] == ["alert_not_sent", "alert_not_sent"]
    assert SECRET not in str(logged) + str(found)


async def test_one_that_does_not_answer_is_waited_for_no_longer_than_the_deadline() -> None:
    left = asyncio.Event()

    async def silence(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await left.wait()
        writer.close()

    async with webhook(silence) as url:
        async with asyncio.timeout(4):
            (found,) = await alerts(url, deadline_seconds=0.3).notify("t", "b")
        left.set()

    assert not found.ok
    assert SECRET not in str(found)


async def test_those_that_do_not_answer_leave_the_threads_of_the_loop_alone() -> None:
    left = asyncio.Event()

    async def silence(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await left.wait()
        writer.close()

    async with webhook(silence) as url:
        sending = asyncio.create_task(alerts(*[url] * 40, deadline_seconds=8).notify("t", "b"))
        await asyncio.sleep(0)
        async with asyncio.timeout(6):
            for _ in range(20):
                await asyncio.to_thread(int)
        assert not sending.done()
        left.set()
        assert len(await sending) == 40


async def test_one_that_nobody_listens_at_says_so_without_its_secret() -> None:
    with structlog.testing.capture_logs() as logged:
        (found,) = await alerts(f"json://user:{SECRET}@127.0.0.1:9/{SECRET}").notify("t", "b")

    assert not found.ok
    assert SECRET not in str(found) + str(logged)


async def test_without_addresses_nothing_happens() -> None:
    assert await alerts().notify("t", "b") == []


@pytest.mark.parametrize(
    "url",
    [
        "feishu://abc123token",
        "lark://abc123token",
        "dingtalk://abc123token",
        "wecombot://abcd-1234-efgh",
        "tgram://123456789:abcdefghijklmnopqrstuvwxyz0123456789/12345678",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
        "jsons://example.org/hook",
        "mailto://user:pass@example.org",
    ],
)
def test_the_addresses_that_the_example_names_are_known(url: str) -> None:
    import apprise  # noqa: PLC0415 - what the adapter hands them to

    assert apprise.Apprise.instantiate(url) is not None


def test_of_an_address_only_scheme_and_host_are_shown() -> None:
    url = "json://user:passw0rd@hooks.example.org:8080/T0ken5/more?key=v4lue99"
    said = f"No way to {url} with T0ken5 and v4lue99 at hooks.example.org"

    shown = without_secrets(said, url)
    assert "hooks.example.org" in shown
    assert not [part for part in ("passw0rd", "T0ken5", "v4lue99") if part in shown]
