"""One WebSocket connection to a gateway: the handshake, calls, and the events that it pushes.

Source: OpenClaw's docs/gateway/protocol; both generations of it, protocols 3 and 4.
"""

import asyncio
import itertools
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, WebSocketException

from buddy_common import __version__
from buddy_common.adapters.gateway_device import CLIENT_ID, CLIENT_MODE, ROLE, GatewayDevice
from buddy_common.adapters.loopback_tls import loopback_tls
from buddy_common.errors import GatewayRefusedError, GatewayRpcError, GatewayUnreachableError

OLDEST_PROTOCOL, NEWEST_PROTOCOL = 3, 4
# all that Buddy ever needs: the older generation pairs a device for the scopes that it asks for first, and
# wants a person's approval for any that come later
SCOPES = ("operator.admin", "operator.read", "operator.write")
HANDSHAKE_SECONDS = 10.0
CALL_SECONDS = 30.0  # the first call of a family after a boot may take seconds
MAX_FRAME_BYTES = 32 * 1024 * 1024  # `policy.maxPayload` is 25 MiB
PING_SECONDS = 5.0
SILENCE_SECONDS = 20.0  # a gateway that starts a chat computes for up to ten

OnEvent = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class Hello:
    """What the gateway said of itself."""

    protocol: int
    version: str
    boot_id: str | None
    methods: frozenset[str]
    events: frozenset[str]
    scopes: frozenset[str]
    snapshot: Mapping[str, Any] = field(repr=False)


class GatewayConnection:
    """A connection that stands until either side closes it; `listen` returns then."""

    def __init__(self, socket: ClientConnection, hello: Hello, on_event: OnEvent) -> None:
        self.hello = hello
        self._socket = socket
        self._on_event = on_event
        self._ids = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self.shutdown: dict[str, Any] | None = None  # its last words, where it had time for any

    async def call(self, method: str, params: Mapping[str, Any] | None = None, *, seconds: float) -> Any:
        """Return the payload of the answer.

        Raises:
            GatewayRpcError: the gateway refused; `code` is its own.
            GatewayUnreachableError: no answer before the deadline, or the connection is gone.
        """
        request_id = str(next(self._ids))
        answer = self._waiting[request_id] = asyncio.get_running_loop().create_future()
        request = {"type": "req", "id": request_id, "method": method, "params": dict(params or {})}
        try:
            async with asyncio.timeout(seconds):
                await self._socket.send(json.dumps(request))
                response = await answer
        except TimeoutError as exc:
            raise GatewayUnreachableError(
                f"The gateway did not answer `{method}` in {seconds:.0f} s."
            ) from exc
        except ConnectionClosed as exc:
            raise GatewayUnreachableError(f"The gateway closed the connection during `{method}`.") from exc
        finally:
            self._waiting.pop(request_id, None)
        if response.get("ok") is not True:
            raise _refusal(method, response.get("error"))
        return response.get("payload")

    async def listen(self) -> None:
        """Hand answers and events on until the connection ends; whoever waits for an answer learns of it."""
        try:
            async for frame in self._socket:
                self._take(frame)
        except ConnectionClosed:  # without a goodbye
            pass
        finally:
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(GatewayUnreachableError("The gateway closed the connection."))
                    answer.exception()  # a caller that is still sending learns of it there, and asks no more

    def _take(self, frame: str | bytes) -> None:
        message = _parse(frame)
        if message.get("type") == "res":
            answer = self._waiting.get(str(message.get("id")))
            if answer is not None and not answer.done():
                answer.set_result(message)
        elif message.get("type") == "event":
            name, payload = str(message.get("event")), message.get("payload")
            payload = payload if isinstance(payload, dict) else {}
            if name == "shutdown":
                self.shutdown = payload
            self._on_event(name, payload)


@asynccontextmanager
async def open_gateway(
    port: int, *, token: str | None, device: GatewayDevice, on_event: OnEvent
) -> AsyncIterator[GatewayConnection]:
    """Connect to the gateway on this host's loopback, and close with the block.

    Raises:
        GatewayUnreachableError: it cannot be reached, is still starting, or is something else.
        GatewayRefusedError: it does not take our token, our device or our protocol.
    """
    try:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            socket = await _connect(port)
    except (OSError, TimeoutError, WebSocketException) as exc:
        raise GatewayUnreachableError(f"No gateway answers on port {port}: {type(exc).__name__}.") from exc
    try:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            hello = await _shake_hands(socket, token=token, device=device)
    except (TimeoutError, ConnectionClosed) as exc:
        await socket.close()
        raise GatewayUnreachableError(f"The gateway on port {port} accepts, but does not answer.") from exc
    except (AttributeError, TypeError, ValueError) as exc:  # fields of another kind: not a gateway we know
        await socket.close()
        raise GatewayUnreachableError(f"What answers on port {port} is no gateway that we know.") from exc
    except BaseException:
        await socket.close()
        raise
    try:
        yield GatewayConnection(socket, hello, on_event)
    finally:
        await socket.close()


async def _connect(port: int) -> ClientConnection:
    """Open the socket, with TLS where the gateway does not understand us without."""
    try:
        return await _connect_by("ws", port)
    except (ConnectionResetError, InvalidMessage):  # no word of HTTP
        return await _connect_by("wss", port)


async def _connect_by(scheme: str, port: int) -> ClientConnection:
    return await connect(
        f"{scheme}://127.0.0.1:{port}/",
        ssl=loopback_tls() if scheme == "wss" else None,
        compression=None,  # on loopback it only costs time
        max_size=MAX_FRAME_BYTES,
        ping_interval=PING_SECONDS,
        ping_timeout=SILENCE_SECONDS,
        close_timeout=1,
        proxy=None,  # a proxy of the environment is for the world outside
        user_agent_header=f"openclaw-buddy/{__version__}",
    )


async def _shake_hands(socket: ClientConnection, *, token: str | None, device: GatewayDevice) -> Hello:
    challenge = _parse(await socket.recv()).get("payload") or {}
    params = {
        "minProtocol": OLDEST_PROTOCOL,
        "maxProtocol": NEWEST_PROTOCOL,
        "client": {"id": CLIENT_ID, "version": __version__, "platform": sys.platform, "mode": CLIENT_MODE},
        "role": ROLE,
        "scopes": list(SCOPES),
        "caps": [],
        "auth": {"token": token} if token else {},
        "device": device.sign(
            nonce=str(challenge.get("nonce", "")),
            signed_at=int(challenge.get("ts", 0)),
            token=token or "",
            scopes=SCOPES,
        ),
    }
    await socket.send(json.dumps({"type": "req", "id": "connect", "method": "connect", "params": params}))
    answer = _parse(await socket.recv())
    if answer.get("ok") is not True:
        raise _connect_failure(answer.get("error"))
    return _hello(answer.get("payload") or {})


def _hello(payload: dict[str, Any]) -> Hello:
    server = payload.get("server") or {}
    features = payload.get("features") or {}
    return Hello(
        protocol=int(payload.get("protocol") or OLDEST_PROTOCOL),
        version=str(server.get("version") or ""),
        boot_id=server.get("bootId"),
        methods=frozenset(features.get("methods") or ()),
        events=frozenset(features.get("events") or ()),
        scopes=frozenset((payload.get("auth") or {}).get("scopes") or ()),
        snapshot=payload.get("snapshot") or {},
    )


def _parse(frame: str | bytes) -> dict[str, Any]:
    try:
        message = json.loads(frame)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def _connect_failure(error: Any) -> GatewayRefusedError | GatewayUnreachableError:
    """A gateway that is only starting says `retryable`; everything else needs a person."""
    error = error if isinstance(error, dict) else {}
    message = str(error.get("message") or "no reason given")
    if error.get("retryable") is True:
        return GatewayUnreachableError(f"The gateway is not ready yet: {message}.", starting=True)
    details = error.get("details")
    reason = details.get("code") if isinstance(details, dict) else None
    return GatewayRefusedError(message, code=str(reason or error.get("code") or "unknown"))


def _refusal(method: str, error: Any) -> GatewayRpcError:
    error = error if isinstance(error, dict) else {}
    later = error.get("retryAfterMs") if error.get("retryable") is True else None
    return GatewayRpcError(
        method,
        retry_after_seconds=later / 1000 if isinstance(later, int | float) else None,
        code=str(error.get("code") or "UNKNOWN"),
        reason=str(error.get("message") or "no reason given"),
    )
