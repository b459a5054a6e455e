"""All doors of api and proxy, read off their route tables, and a way to knock on each."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
from fastapi import FastAPI
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Message

from buddy_proxy.app import ProxyApp

HOST = "buddy.test"
ORIGIN = f"http://{HOST}"
ALL_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
SOCKET = "WEBSOCKET"


@dataclass(frozen=True)
class Door:
    """One method of one route of one service."""

    service: str
    method: str
    path: str
    app: ASGIApp = field(compare=False, repr=False)

    @property
    def name(self) -> str:
        return f"{self.service} {self.method} {self.path}"

    @property
    def is_socket(self) -> bool:
        return self.method == SOCKET

    @property
    def changes(self) -> bool:
        return not self.is_socket and self.method not in SAFE

    async def knock(self, headers: dict[str, str] | None = None, **query: str) -> httpx.Response:
        """Ask for it and return the answer; a socket that is accepted answers 101."""
        path = self.path.replace("{", "").replace(":path}", "").replace("}", "")
        if self.is_socket:
            return await _upgrade(self.app, path, headers or {}, urlencode(query))
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=("203.0.113.7", 4711))
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client, asyncio.timeout(5):
            return await client.request(self.method, path, headers=headers, params=query)


def doors_of(api: FastAPI, proxy: ProxyApp) -> list[Door]:
    """Return every door of both services.

    Raises:
        TypeError: a route is of a kind that nobody has taught this to knock on.
    """
    return [
        Door(service, method, path, app)
        for service, app, routes in (("api", api, api.router.routes), ("proxy", proxy, proxy.routes))
        for route in routes
        for method, path in _entries(route)
    ]


def _entries(route: BaseRoute) -> Iterator[tuple[str, str]]:
    if isinstance(route, WebSocketRoute):
        yield SOCKET, route.path
    elif isinstance(route, Route):
        # no methods: an app of its own, which takes any
        yield from ((method, route.path) for method in sorted(route.methods or ALL_METHODS))
    else:
        raise TypeError(f"a route of another kind: {route!r}")


async def _upgrade(app: ASGIApp, path: str, headers: dict[str, str], query: str) -> httpx.Response:
    """Ask for a WebSocket as an ASGI server does."""
    scope: dict[str, Any] = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in _with_host(headers)],
        "client": ("203.0.113.7", 4711),
        "server": (HOST, 80),
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }
    came: asyncio.Queue[Message] = asyncio.Queue()
    sent: asyncio.Queue[Message] = asyncio.Queue()
    came.put_nowait({"type": "websocket.connect"})
    running = asyncio.ensure_future(app(scope, came.get, sent.put))
    try:
        async with asyncio.timeout(5):
            first = await sent.get()
            status = {"websocket.accept": 101, "websocket.close": 403}.get(first["type"], first.get("status"))
            body = (await sent.get())["body"] if "status" in first else b""
    finally:
        running.cancel()
        await asyncio.wait([running])
    return httpx.Response(int(status or 0), headers=first.get("headers"), content=body)


def _with_host(headers: dict[str, str]) -> list[tuple[str, str]]:
    return [("host", HOST), *headers.items()]
