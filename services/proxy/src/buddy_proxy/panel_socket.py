"""The panel's WebSocket: dialled before it is accepted, signed in on the way, and then passed on unread."""

import asyncio
from typing import Any

import aiohttp
import structlog
from aiohttp import WSMsgType
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from buddy_common.errors import BuddyError, GatewayUnreachableError, ShuttingDownError
from buddy_proxy.panel import panel_headers, signed_in_by_cookie
from buddy_proxy.panel_handshake import MAX_HANDSHAKE_BYTES, Handshake
from buddy_proxy.panel_path import gateway_path
from buddy_proxy.problems import refuse_socket
from buddy_proxy.running import End
from buddy_proxy.target import Found
from buddy_proxy.wiring import Wiring

log = structlog.get_logger(__name__)

# a gateway whose loop is blocked answers no ping; it may compute for ten seconds before a chat
HEARTBEAT_SECONDS = 60.0
SERVICE_RESTART, POLICY_VIOLATION, TOO_BIG = 1012, 1008, 1009
# codes that no endpoint may send (RFC 6455 section 7.4.1)
_NEVER_SENT = frozenset({1005, 1006, 1015})
_OF_SOCKETS = ("sec-websocket-",)


class PanelSocket:
    """`/v1/proxy` and everything below it, as WebSockets."""

    def __init__(self, w: Wiring) -> None:
        self._w = w

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket."""
        try:
            if self._w.stopping:
                raise ShuttingDownError
            operator = await self._w.authenticator.authenticate(HTTPConnection(signed_in_by_cookie(scope)))
            path = gateway_path(scope["raw_path"], scope["query_string"])
            with self._w.clients.enter(operator.address):
                found = await self._w.target.find()
                await self._join(scope, path, found, receive, send)
        except BuddyError as exc:
            log.info("panel_socket_refused", error=exc.error, reason=exc.message)
            if isinstance(exc, GatewayUnreachableError):
                self._w.target.forget()
            await refuse_socket(scope, receive, send, exc)

    async def _join(self, scope: Scope, path: str, found: Found, receive: Receive, send: Send) -> None:
        headers = [
            header for header in panel_headers(scope, found, None) if not header[0].startswith(_OF_SOCKETS)
        ]
        async with self._w.upstream.socket(
            f"{found.socket_origin}{path}",
            headers=headers,
            protocols=scope.get("subprotocols", ()),
            heartbeat_seconds=HEARTBEAT_SECONDS,
        ) as gateway:
            await receive()  # the connect message
            await send({"type": "websocket.accept", "subprotocol": gateway.protocol})
            joint = Joint(gateway, Handshake(found.place.device, found.place.token), receive, send)
            end = await self._w.running.until_left(joint.to_browser(), joint.to_gateway)
            if end is not End.CLIENT_LEFT or not joint.has_left:
                await send({"type": "websocket.close", "code": joint.close_code, "reason": joint.reason})


class Joint:
    """Both directions of one socket; each waits for the other side to take what it sends."""

    def __init__(
        self,
        gateway: aiohttp.ClientWebSocketResponse,
        handshake: Handshake,
        receive: Receive,
        send: Send,
    ) -> None:
        self._gateway = gateway
        self._handshake = handshake
        self._receive = receive
        self._send = send
        self.has_left = False
        self.close_code = SERVICE_RESTART  # what makes the panel connect again
        self.reason = ""

    async def to_browser(self) -> None:
        """Pass on what the gateway sends, until it closes."""
        while True:
            message = await self._gateway.receive()
            if message.type is WSMsgType.TEXT:
                await self._send({"type": "websocket.send", "text": self._for_browser(message.data)})
            elif message.type is WSMsgType.BINARY:
                await self._send({"type": "websocket.send", "bytes": message.data})
            else:
                break
        code = self._gateway.close_code
        if code is not None and code not in _NEVER_SENT:
            self.close_code = code
            if message.type is WSMsgType.CLOSE:
                self.reason = str(message.extra or "")

    def _for_browser(self, frame: str) -> str:
        return frame if self._handshake.is_over else self._handshake.from_gateway(frame)

    async def to_gateway(self) -> None:
        """Pass on what the browser sends, until it leaves."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self.has_left = True
                await self._gateway.close(code=_sendable(message.get("code")))
                return
            if not await self._pass_on(message):
                return

    async def _pass_on(self, message: Any) -> bool:
        text = message.get("text")
        try:
            if text is None:
                await self._gateway.send_bytes(message["bytes"])
                return True
            if not self._handshake.is_over:
                if len(text) > MAX_HANDSHAKE_BYTES:
                    self.close_code, self.reason = TOO_BIG, "handshake too long"
                    return False
                text = self._handshake.from_browser(text)
            await self._gateway.send_str(text)
        except (ConnectionError, aiohttp.ClientError):
            # it has closed, and the other direction is about to learn why
            await asyncio.Event().wait()
        return True


def _sendable(code: Any) -> int:
    return code if isinstance(code, int) and code not in _NEVER_SENT else 1000
