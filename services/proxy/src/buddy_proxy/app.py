"""The proxy's application: chats and the panel by a short way of their own, all else through Starlette."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from buddy_common.errors import BuddyError
from buddy_common.request_id import HEADER, choose_request_id
from buddy_proxy.chat import Chat
from buddy_proxy.config import ProxyConfig
from buddy_proxy.own_sockets import SOCKETS
from buddy_proxy.panel import Panel
from buddy_proxy.panel_path import PREFIX
from buddy_proxy.panel_socket import PanelSocket
from buddy_proxy.problems import envelope
from buddy_proxy.sockets import Socket
from buddy_proxy.wiring import Wiring, build_wiring

log = structlog.get_logger(__name__)

CHAT = "/v1/openclaw/chat/completions"
_ID = HEADER.lower().encode()
# the paths that belong to the proxy wherever a router or an edge stands before both services
PREFIXES = (CHAT, PREFIX, "/v1/ws")


class ProxyApp:
    """The ASGI application."""

    def __init__(self, w: Wiring) -> None:
        self.wiring = w
        self._chat, self._panel = RequestId(Chat(w)), RequestId(Panel(w))
        self._panel_socket = PanelSocket(w)
        self._others = Starlette(
            routes=[
                Route("/health", _health),
                Route(CHAT, self._chat, methods=["POST"]),
                *(Route(path, self._panel) for path in (PREFIX, f"{PREFIX}/{{path:path}}")),
                *(WebSocketRoute(path, self._panel_socket) for path in (PREFIX, f"{PREFIX}/{{path:path}}")),
                *(WebSocketRoute(path, Socket(w, handler)) for path, handler in SOCKETS.items()),
            ],
            exception_handlers={HTTPException: _problem, BuddyError: _buddy_problem},
            middleware=[Middleware(RequestId)],
            lifespan=self._lifespan,
        )

    @property
    def routes(self) -> list[BaseRoute]:
        """All routes, the short way's too."""
        return self._others.routes

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        w = self.wiring
        with w.stopping.told_by_signals():
            async with w.stopping.afterwards(lambda: w.running.drain(seconds=w.config.proxy.drain_seconds)):
                yield
        await w.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection, or the life of the app."""
        await self._app_for(scope)(scope, receive, send)

    def _app_for(self, scope: Scope) -> ASGIApp:
        """Return who answers; Starlette's layers cost each request and each frame as much as all of ours."""
        kind, path = scope["type"], scope.get("path", "")
        if kind == "http" and path == CHAT:
            return self._chat
        if kind in {"http", "websocket"} and (path == PREFIX or path.startswith(f"{PREFIX}/")):
            return self._panel if kind == "http" else self._panel_socket
        return self._others


def create_app(config: ProxyConfig) -> ProxyApp:
    """Return the app; its connections open with the first request and close with the lifespan."""
    return ProxyApp(build_wiring(config))


async def _health(_request: Request) -> JSONResponse:
    return JSONResponse({"code": 200, "message": "success", "data": {"status": "ok"}})


async def _buddy_problem(_request: Request, exc: Exception) -> JSONResponse:
    if not isinstance(exc, BuddyError):
        raise exc
    return JSONResponse(envelope(exc), status_code=exc.status, headers=exc.headers)


async def _problem(request: Request, exc: Exception) -> JSONResponse:
    if not isinstance(exc, HTTPException):
        raise exc
    slug = "not_found" if exc.status_code == 404 else "method_not_allowed"  # noqa: PLR2004 - the HTTP status
    body = {
        "code": exc.status_code,
        "message": f"{exc.detail}: {request.method} {request.url.path}.",
        "data": {"error": slug},
    }
    return JSONResponse(body, status_code=exc.status_code, headers=exc.headers)


class RequestId:
    """Answers every request with its id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == _ID), None)
        request_id = (_ID, choose_request_id(given).encode())

        # not `async`: a coroutine more for each message would do nothing but await the next
        def send_with_id(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                kept = [header for header in message["headers"] if header[0] != _ID]
                message["headers"] = [*kept, request_id]
            return send(message)

        await self._app(scope, receive, send_with_id)
