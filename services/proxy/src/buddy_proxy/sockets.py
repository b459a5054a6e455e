"""The frame of all WebSockets that Buddy serves itself: who may open one, and how many."""

from collections.abc import Awaitable, Callable

from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketState

from buddy_common.adapters.access import Operator
from buddy_common.errors import BuddyError, ShuttingDownError
from buddy_proxy.problems import refuse_socket
from buddy_proxy.wiring import Wiring

# called before `accept`; a BuddyError that it raises until then is the answer to the upgrade
SocketHandler = Callable[[WebSocket, Wiring, Operator], Awaitable[None]]
_INTERNAL_ERROR = 1011


class Socket:
    """An ASGI app: origin, credential and limits first, then the handler."""

    def __init__(self, w: Wiring, handler: SocketHandler) -> None:
        self._w = w
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket."""
        socket = WebSocket(scope, receive, send)
        try:
            if self._w.stopping:
                raise ShuttingDownError
            operator = await self._w.authenticator.authenticate(HTTPConnection(scope))
            with self._w.clients.enter(operator.address):
                await self._handler(socket, self._w, operator)
        except BuddyError as exc:
            if socket.client_state is WebSocketState.CONNECTING:
                await refuse_socket(scope, receive, send, exc)
            elif socket.application_state is WebSocketState.CONNECTED:
                await socket.close(_INTERNAL_ERROR, exc.error)
