"""api and proxy behind one port: paths decide, and both live as long as the port is open."""

import asyncio
import gc
import subprocess
import sys
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from buddy_cli.edge import Edge, LifespanError
from buddy_proxy.app import PREFIXES


def named(name: str) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(f"{name} {scope['path']}")(scope, receive, send)

    return app


async def ask(path: str) -> str:
    edge = Edge(api=named("api"), proxy=named("proxy"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(edge), base_url="http://buddy") as client:
        return (await client.get(path)).text


@pytest.mark.parametrize("path", [*PREFIXES, *(f"{prefix}/more" for prefix in PREFIXES)])
async def test_paths_of_the_proxy_go_to_the_proxy(path: str) -> None:
    assert await ask(path) == f"proxy {path}"


@pytest.mark.parametrize(
    "path", ["/", "/health", "/v1/gateway/start", "/v1/wsx", "/v1/proxyless", "/v1", "/v1/openclaw/chat"]
)
async def test_all_other_paths_go_to_the_api(path: str) -> None:
    assert await ask(path) == f"api {path}"


async def test_websockets_are_told_apart_by_path_as_well() -> None:
    seen: list[str] = []

    async def proxy(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    async def unused(*_: Any) -> Any:
        raise AssertionError

    await Edge(api=unused, proxy=proxy)({"type": "websocket", "path": "/v1/ws/x"}, unused, unused)

    assert seen == ["websocket"]


class Life:
    """Drives the lifespan of an app as a server does."""

    def __init__(self, app: ASGIApp) -> None:
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._outbox: asyncio.Queue[Message] = asyncio.Queue()
        self._app = app
        self._nobody_cared: list[dict[str, Any]] = []
        self.task: asyncio.Task[None] | None = None

    async def tell(self, message: str) -> Message:
        if self.task is None:
            scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0"}}
            self.task = asyncio.create_task(self._run(scope))
            asyncio.get_running_loop().set_exception_handler(
                lambda _loop, context: self._nobody_cared.append(context)
            )
        await self._inbox.put({"type": message})
        async with asyncio.timeout(5):
            return await self._outbox.get()

    async def ended(self) -> None:
        """Wait for the end; no exception may be left for the garbage collector to complain about."""
        assert self.task is not None
        async with asyncio.timeout(5):
            await self.task
        gc.collect()
        assert self._nobody_cared == []

    async def _run(self, scope: Scope) -> None:
        await self._app(scope, self._inbox.get, self._outbox.put)


def living(name: str, events: list[str], *, fails_at: str | None = None) -> ASGIApp:
    """An app that follows the protocol, and says so when a phase fails."""

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(2):
            phase = (await receive())["type"].removeprefix("lifespan.")
            events.append(f"{name} {phase}")
            if phase == fails_at:
                await send({"type": f"lifespan.{phase}.failed", "message": f"{name} is sick"})
                return
            await send({"type": f"lifespan.{phase}.complete"})

    return app


async def test_both_apps_are_started_before_the_port_opens_and_stopped_in_reverse() -> None:
    events: list[str] = []
    life = Life(Edge(api=living("api", events), proxy=living("proxy", events)))

    assert await life.tell("lifespan.startup") == {"type": "lifespan.startup.complete"}
    assert events == ["api startup", "proxy startup"]

    assert await life.tell("lifespan.shutdown") == {"type": "lifespan.shutdown.complete"}
    assert events[2:] == ["proxy shutdown", "api shutdown"]
    await life.ended()


@pytest.mark.parametrize(("sick", "stopped"), [("api", []), ("proxy", ["api shutdown"])])
async def test_one_that_cannot_start_keeps_the_port_closed_and_the_other_is_stopped(
    sick: str, stopped: list[str]
) -> None:
    events: list[str] = []
    apps = {
        name: living(name, events, fails_at="startup" if name == sick else None) for name in ("api", "proxy")
    }
    life = Life(Edge(**apps))

    answer = await life.tell("lifespan.startup")

    assert answer == {"type": "lifespan.startup.failed", "message": f"{sick} is sick"}
    await life.ended()
    assert [event for event in events if "shutdown" in event] == stopped


RAISES = """
import uvicorn
from buddy_cli.edge import Edge

async def broken(scope, receive, send):
    raise RuntimeError("a bug")

uvicorn.run(Edge(api=broken, proxy=broken), port=0)
"""


def test_an_app_that_raises_at_its_start_ends_the_server() -> None:
    done = subprocess.run(
        [sys.executable, "-c", RAISES], capture_output=True, text=True, timeout=25, check=False
    )

    assert done.returncode == 3  # uvicorn's code for an app that does not start
    assert "a bug" in done.stderr


async def test_a_real_app_that_raises_at_its_start_says_why() -> None:
    async def refuse() -> None:
        raise RuntimeError("no database")

    class Lifespan:
        def __init__(self, _app: Starlette) -> None: ...

        async def __aenter__(self) -> None:
            await refuse()

        async def __aexit__(self, *_: object) -> None: ...

    life = Life(Edge(api=Starlette(lifespan=Lifespan), proxy=living("proxy", [])))

    answer = await life.tell("lifespan.startup")

    assert answer["type"] == "lifespan.startup.failed"
    assert "no database" in answer["message"]
    await life.ended()


async def test_one_that_fails_to_stop_does_not_keep_the_other_from_stopping() -> None:
    events: list[str] = []
    proxy = living("proxy", events, fails_at="shutdown")
    life = Life(Edge(api=living("api", events), proxy=proxy))
    await life.tell("lifespan.startup")

    answer = asyncio.create_task(life.tell("lifespan.shutdown"))
    with pytest.raises(LifespanError, match="proxy is sick"):
        await life.ended()
    answer.cancel()

    assert events[2:] == ["proxy shutdown", "api shutdown"]
