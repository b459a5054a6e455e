"""The way into every WebSocket: who is calling, whether there is room, and how a refusal looks."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import structlog
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from buddy_common.errors import BuddyError, TooManySocketsError
from buddy_common.ports import Caller

log = structlog.get_logger(__name__)

# RFC 6455 section 7.4.1
NORMAL, GOING_AWAY, POLICY, TOO_BIG, INTERNAL_ERROR, TRY_AGAIN = 1000, 1001, 1008, 1009, 1011, 1013
_REASON_BYTES = 123  # what a close frame has room for


class Authenticates(Protocol):
    """Tells who is calling."""

    async def authenticate(self, connection: HTTPConnection) -> Caller:
        """Return the caller.

        Raises:
            NotAuthenticatedError: no credential, or none that is valid.
            CrossOriginError: a page of another site opened it.
        """
        ...


class Room(Protocol):
    """What is behind a WebSocket."""

    async def enter(self, websocket: WebSocket, caller: Caller) -> None:
        """Accept the socket and serve it to its end; what is raised refuses or closes it.

        Raises:
            BuddyError: it cannot be served.
        """
        ...


class Door:
    """Lets callers in, a limited number per address."""

    def __init__(self, authenticator: Authenticates, *, per_client: int) -> None:
        self._authenticator = authenticator
        self._per_client = per_client
        self._inside: Counter[str] = Counter()

    def to(self, room: Room) -> Callable[[WebSocket], Awaitable[None]]:
        """Return the endpoint that leads to the room."""

        async def endpoint(websocket: WebSocket) -> None:
            path = websocket.url.path
            try:
                caller = await self._authenticator.authenticate(websocket)
                with self._place(caller.address or "unknown"):
                    await room.enter(websocket, caller)
            except WebSocketDisconnect:
                log.debug("socket_left", path=path)
            except BuddyError as exc:
                log.info("socket_refused", path=path, error=exc.error)
                await _refuse(websocket, exc)

        return endpoint

    @contextmanager
    def _place(self, address: str) -> Iterator[None]:
        if self._inside[address] >= self._per_client:
            raise TooManySocketsError(
                f"This address has {self._per_client} WebSockets open already, the limit"
                " (BUDDY_SOCKETS_PER_CLIENT). Close one first."
            )
        self._inside[address] += 1
        try:
            yield
        finally:
            self._inside[address] -= 1
            if not self._inside[address]:
                del self._inside[address]


async def close(websocket: WebSocket, code: int, reason: str) -> None:
    """Close the socket with a reason of a length that fits; one that is closed already stays so."""
    states = (websocket.client_state, websocket.application_state)
    if WebSocketState.DISCONNECTED not in states:
        await websocket.close(code, reason.encode()[:_REASON_BYTES].decode(errors="ignore"))


async def _refuse(websocket: WebSocket, exc: BuddyError) -> None:
    """Answer with the envelope before the socket is open, and with a close frame after."""
    if websocket.application_state is not WebSocketState.CONNECTING:
        await close(websocket, INTERNAL_ERROR, exc.message)
        return
    body = {"code": exc.status, "message": exc.message, "data": {"error": exc.error, **exc.detail}}
    await websocket.send_denial_response(JSONResponse(body, status_code=exc.status, headers=exc.headers))
