"""A pure ASGI layer: request id, security headers, access log, metrics."""

import logging
import time
from http import HTTPStatus

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from buddy_api.errors import problem_response
from buddy_common.adapters.access import SAFE_METHODS, client_address
from buddy_common.errors import BuddyError
from buddy_common.request_id import HEADER, choose_request_id

_LOGGER = "buddy_api.access"
log = structlog.get_logger(_LOGGER)

# as ASGI wants them: this runs for every answer
_REQUEST_ID = HEADER.lower().encode()
_SECURITY_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cache-control": b"no-store",
}


class RequestContext:
    """Gives each request an id, answers with it, logs the request without query string or body."""

    def __init__(self, app: ASGIApp, *, registry: CollectorRegistry) -> None:
        self._app = app
        self._requests = Counter(
            "buddy_http_requests",
            "Requests by route, method and status",
            ["route", "method", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "buddy_http_request_seconds",
            "Time to the end of the answer by route",
            ["route"],
            registry=registry,
        )
        self._counts: dict[tuple[str, str, int | None], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=exchange.request_id)
        began = time.perf_counter()
        try:
            await self._app(scope, receive, exchange.send)
        except Exception:  # the outermost layer: a bug must still give an answer, and leave a trace
            log.exception("request_crashed", path=scope["path"])
            if exchange.status is not None:
                raise
            text = "Unexpected error; the api's log has it under this request id."
            problem = problem_response(BuddyError(text, requestId=exchange.request_id))
            await problem(scope, receive, exchange.send)
        finally:
            self._record(scope, exchange.status, time.perf_counter() - began)

    def _record(self, scope: Scope, status: int | None, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unknown")
        requests, latency = self._counted(route, scope["method"], status)
        requests.inc()
        latency.observe(seconds)
        # what only reads, and succeeds, is for those who debug: pages poll, and a line costs as much as that
        quiet = scope["method"] in SAFE_METHODS and status is not None and status < HTTPStatus.BAD_REQUEST
        if quiet and not logging.getLogger(_LOGGER).isEnabledFor(logging.DEBUG):
            return
        log.info(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=status,
            ms=round(seconds * 1000, 1),
            address=client_address(HTTPConnection(scope)),
            actor=scope.get("state", {}).get("actor"),
        )

    def _counted(self, route: str, method: str, status: int | None) -> tuple[Counter, Histogram]:
        """Return what counts such a request; prometheus_client looks it up under a lock each time."""
        key = (route, method, status)
        found = self._counts.get(key)
        if found is None:
            found = self._requests.labels(route, method, str(status)), self._seconds.labels(route)
            self._counts[key] = found
        return found


class _Exchange:
    """One request and its answer: the id, and the status once the answer has begun."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.request_id = choose_request_id(Headers(scope=scope).get(HEADER))
        self.status: int | None = None
        self._send = send
        scope.setdefault("state", {})["request_id"] = self.request_id

    async def send(self, message: Message) -> None:
        """Pass a message on; the first gets our headers, where the app did not set them."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [header for header in message.get("headers", ()) if header[0] != _REQUEST_ID]
            given = {name for name, _ in headers}
            headers += [header for header in _SECURITY_HEADERS.items() if header[0] not in given]
            headers.append((_REQUEST_ID, self.request_id.encode()))
            message["headers"] = headers
        await self._send(message)
