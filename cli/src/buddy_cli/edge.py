"""api and proxy in one process and on one port, where no Traefik stands before them.

The one module that imports services: each keeps its own app, settings and routes; paths decide.
"""

import asyncio
from contextlib import AsyncExitStack

import structlog
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from buddy_api.app import create_app as create_api
from buddy_api.config import ApiConfig
from buddy_common.adapters.http_guard import GuardedHttp
from buddy_common.entry import run_entry
from buddy_common.log import configure_logging
from buddy_proxy.app import PREFIXES
from buddy_proxy.app import create_app as create_proxy
from buddy_proxy.config import ProxyConfig

log = structlog.get_logger(__name__)


class Edge:
    """Sends a request to the proxy if its path belongs there, else to the api."""

    def __init__(self, *, api: ASGIApp, proxy: ASGIApp) -> None:
        self._api = api
        self._proxy = proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection, or the life of both apps."""
        if scope["type"] == "lifespan":
            await _both_lifespans(self._api, self._proxy, receive, send)
            return
        app = self._proxy if _is_proxied(scope["path"]) else self._api
        await app(scope, receive, send)


def _is_proxied(path: str) -> bool:
    return any(path == prefix or path.startswith(prefix + "/") for prefix in PREFIXES)


async def _both_lifespans(api: ASGIApp, proxy: ASGIApp, receive: Receive, send: Send) -> None:
    """Start both apps before answering and stop both after."""
    await receive()
    async with AsyncExitStack() as running:
        try:
            for app in (api, proxy):
                await running.enter_async_context(_Lifespan(app))
        except LifespanError as exc:
            await send({"type": "lifespan.startup.failed", "message": str(exc)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


class LifespanError(Exception):
    """An app could not start."""


class _Lifespan:
    """Drives the lifespan protocol of one app (ASGI specification, lifespan protocol 2.0)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._to_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._from_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._run())
        await self._step("startup")

    async def __aexit__(self, *_: object) -> None:
        await self._step("shutdown")
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        try:
            await self._app(scope, self._to_app.get, self._from_app.put)  # type: ignore[arg-type]  # messages are plain dicts of strings
        except Exception as exc:  # an app that does not follow the protocol fails the phase it is in
            log.exception("lifespan_crashed")
            await self._from_app.put({"type": "lifespan.crashed", "message": f"{type(exc).__name__}: {exc}"})

    async def _step(self, phase: str) -> None:
        await self._to_app.put({"type": f"lifespan.{phase}"})
        answer = await self._from_app.get()
        if answer["type"] != f"lifespan.{phase}.complete":
            raise LifespanError(answer.get("message", f"{phase} failed"))


def main() -> None:
    """Serve api and proxy until SIGTERM."""
    config, proxy = ApiConfig.from_environment(), ProxyConfig.from_environment()
    configure_logging(service="web", node=config.home.node, level=config.home.log_level)
    uvicorn.run(
        Edge(api=create_api(config), proxy=create_proxy(proxy)),
        host=config.web.host,
        port=config.web.port,
        loop="uvloop",
        http=GuardedHttp,
        ws="websockets-sansio",
        ws_max_size=proxy.proxy.max_frame_bytes,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=config.web.forwarded_allow_ips,
        timeout_graceful_shutdown=proxy.proxy.drain_seconds + 2,
    )


if __name__ == "__main__":
    run_entry(main)
