"""The proxy's application. So far it answers health checks; nothing is streamed yet."""

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from buddy_common.request_id import HEADER, choose_request_id

# the paths that belong to the proxy wherever a router or an edge stands before both services
PREFIXES = ("/v1/openclaw/chat/completions", "/v1/proxy", "/v1/ws")


def create_app() -> Starlette:
    """Return the app."""
    return Starlette(
        routes=[Route("/health", _health)],
        exception_handlers={HTTPException: _problem},
        middleware=[Middleware(RequestId)],
    )


async def _health(_request: Request) -> JSONResponse:
    return JSONResponse({"code": 200, "message": "success", "data": {"status": "ok"}})


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
        request_id = choose_request_id(Headers(scope=scope).get(HEADER))

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        await self._app(scope, receive, send_with_id)
