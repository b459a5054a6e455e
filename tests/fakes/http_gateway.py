"""A gateway's HTTP and WebSocket side on a free loopback port: the test decides what it answers."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from fakes.ports import free_port

TOKEN = "the-gateways-own-token"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Seen:
    """A request as it came in."""

    method: str
    path: str  # with the query, not decoded
    headers: dict[str, str]  # names in lower case
    body: bytes


async def read(request: web.Request) -> Seen:
    """Return a request with its body."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Seen(request.method, request.raw_path, headers, await request.read())


class HttpGateway:
    """The server; `answer` gets every request."""

    def __init__(self) -> None:
        self.port = free_port()
        self.answer: Handler = _ok
        self.seen: list[Seen] = []
        self.left = asyncio.Event()  # a client hung up before it had its whole answer
        self._server: web.Server | None = None
        self._runner: web.ServerRunner | None = None

    async def start(self) -> None:
        """Listen from now on."""
        self._server = web.Server(self._handle, handler_cancellation=True)
        self._runner = web.ServerRunner(self._server, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        """Be gone with all connections and without a word, as on SIGKILL."""
        if self._server is not None:
            for connection in self._server.connections:
                if connection.transport is not None:
                    connection.transport.abort()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def connections(self) -> int:
        """How many are open."""
        return 0 if self._server is None else len(self._server.connections)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, web.BaseRequest)
        try:
            return await self.answer(request)  # type: ignore[arg-type]  # all that handlers use, both kinds have
        except (asyncio.CancelledError, ConnectionError):
            self.left.set()
            raise


async def _ok(_request: web.Request) -> web.StreamResponse:
    return web.json_response({"ok": True})
