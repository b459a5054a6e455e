"""Which of our WebSockets leads to which room."""

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from buddy_common.adapters.access import Operator
from buddy_proxy.sockets import SocketHandler
from buddy_proxy.wiring import Wiring

log = structlog.get_logger(__name__)


async def _logs(socket: WebSocket, w: Wiring, operator: Operator) -> None:
    await w.rooms.logs.enter(socket, operator)


async def _tui(socket: WebSocket, w: Wiring, operator: Operator) -> None:
    await w.rooms.tui.enter(socket, operator)


async def _shell(socket: WebSocket, w: Wiring, operator: Operator) -> None:
    await w.rooms.shell.enter(socket, operator)


def _until_gone(handler: SocketHandler) -> SocketHandler:
    """Return the handler without an exception for what ends most sockets: their client leaves."""

    async def handle(socket: WebSocket, w: Wiring, operator: Operator) -> None:
        try:
            await handler(socket, w, operator)
        except WebSocketDisconnect as exc:
            log.debug("socket_left", path=socket.url.path, code=exc.code)

    return handle


SOCKETS: dict[str, SocketHandler] = {
    path: _until_gone(handler)
    for path, handler in {"/v1/ws/logs": _logs, "/v1/ws/tui": _tui, "/v1/ws/shell": _shell}.items()
}
