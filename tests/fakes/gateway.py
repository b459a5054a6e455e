"""A gateway's WebSocket on a free loopback port: it checks a client as strictly as the real one does.

What it says of itself was recorded from OpenClaw; what it answers to calls, the test decides.
"""

import asyncio
import base64
import hashlib
import inspect
import itertools
import json
import ssl
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from fakes.ports import free_port

TOKEN = "gateway-token"
TRANSCRIPTS = Path(__file__).parent.parent / "transcripts"
POLICY_VIOLATION, PROTOCOL_ERROR, SERVICE_RESTART = 1008, 1002, 1012
_PARAMETERS = {
    "minProtocol", "maxProtocol", "client", "role", "scopes", "caps", "auth", "device",
}  # fmt: skip


class Release(StrEnum):
    """The generations whose words were recorded."""

    NEW = "2026.9.6"
    OLD = "2026.3.28"


class Silence(Enum):
    """As the answer to a method: there never is one."""

    NO_ANSWER = "no answer"


NO_ANSWER = Silence.NO_ANSWER


@dataclass(eq=False)
class Refusal(Exception):  # noqa: N818 - it is an answer
    """The `error` of an answer that is not ok."""

    code: str
    message: str
    details: Mapping[str, Any] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """Return it as the gateway writes it."""
        details = {} if self.details is None else {"details": dict(self.details)}
        return {"code": self.code, "message": self.message, **details, **self.more}


STARTING = Refusal(
    "UNAVAILABLE",
    "gateway starting; retry shortly",
    {"reason": "startup-sidecars"},
    {"retryable": True, "retryAfterMs": 500},
)
# a value, a refusal, silence, or a function of the parameters that returns or raises one of them, at once or
# when it is awaited
Answer = Any


def recorded_hello(release: Release) -> dict[str, Any]:
    """Return what this generation answers to `connect`; its snapshot is empty."""
    recorded = json.loads((TRANSCRIPTS / f"rpc-{release}.json").read_text())
    return {**recorded["hello"], "snapshot": {}}


class FakeGateway:
    """The server; it may be stopped and started again on the same port."""

    def __init__(
        self, methods: Mapping[str, Answer] | None = None, *, release: Release = Release.NEW
    ) -> None:
        self.port = free_port()
        self.token: str | None = TOKEN
        self.hello = recorded_hello(release)
        self.methods: dict[str, Answer] = dict(methods or {})
        self.refusal: Refusal | None = None  # instead of a hello, to everybody
        self.tls: ssl.SSLContext | None = None
        self.silent = False  # takes connections and says nothing
        self.connects: list[dict[str, Any]] = []  # parameters of `connect`
        self.headers: list[Mapping[str, str]] = []  # of each connection
        self.calls: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        self.sockets: set[ServerConnection] = set()  # whom it has said hello to
        self.left = asyncio.Event()  # a client that was let in is gone
        self._numbers = itertools.count(1)
        self._server: Server | None = None

    async def start(self) -> None:
        """Listen from now on."""
        self._server = await serve(
            self._talk,
            "127.0.0.1",
            self.port,
            compression=None,
            close_timeout=1,
            ping_interval=None,
            ssl=self.tls,
        )

    async def stop(self, reason: str = "gateway stopping", **more: Any) -> None:
        """Say so, close with 1012 and give the port back, as on SIGTERM."""
        await self.push("shutdown", {"reason": reason, **more})
        await self._stop_listening(SERVICE_RESTART)

    async def crash(self) -> None:
        """Be gone without a word, as on SIGKILL."""
        for socket in list(self.sockets):
            socket.transport.abort()
        await self._stop_listening(SERVICE_RESTART)

    async def push(self, event: str, payload: Any = None) -> None:
        """Send an event to all clients; without a payload where there is None."""
        body = {} if payload is None else {"payload": payload}
        await self.send(json.dumps({"type": "event", "event": event, **body, "seq": next(self._numbers)}))

    async def send(self, frame: str | bytes) -> None:
        """Send any frame to all clients."""
        for socket in list(self.sockets):
            with suppress(ConnectionClosed):
                await socket.send(frame)

    async def _stop_listening(self, code: int) -> None:
        if self._server is not None:
            self._server.close(code=code)
            await self._server.wait_closed()
            self._server = None

    async def _talk(self, socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            if self.silent:
                await socket.wait_closed()
                return
            if await self._lets_in(socket):
                await self._serve(socket)

    async def _lets_in(self, socket: ServerConnection) -> bool:
        nonce, now = str(uuid.uuid4()), int(time.time() * 1000)
        challenge = {"nonce": nonce, "ts": now}
        await _send(socket, {"type": "event", "event": "connect.challenge", "payload": challenge})
        request = json.loads(await socket.recv())
        self.headers.append(socket.request.headers if socket.request else {})
        self.connects.append(request["params"])
        refusal = self.refusal or self._objection(request["params"], nonce=nonce, now=now)
        if refusal is None:
            # before the hello goes out, so that whoever has read it is known here
            self.sockets.add(socket)
            await _send(socket, {"type": "res", "id": request["id"], "ok": True, "payload": self.hello})
            return True
        await _send(socket, {"type": "res", "id": request["id"], "ok": False, "error": refusal.body()})
        mismatch = refusal.code == "PROTOCOL_MISMATCH"
        await socket.close(PROTOCOL_ERROR if mismatch else POLICY_VIOLATION, refusal.message)
        return False

    def _objection(self, params: dict[str, Any], *, nonce: str, now: int) -> Refusal | None:
        if not params["minProtocol"] <= self.hello["protocol"] <= params["maxProtocol"]:
            return Refusal("PROTOCOL_MISMATCH", "protocol mismatch")
        if set(params) - _PARAMETERS:
            return _bad("invalid connect params: unexpected property", "INVALID_PARAMS")
        token = params["auth"].get("token")
        if self.token is not None and token != self.token:
            reason = "AUTH_TOKEN_MISSING" if token is None else "AUTH_TOKEN_MISMATCH"
            return _bad("unauthorized: gateway token mismatch", reason)
        return _objection_to_device(params, nonce=nonce, now=now)

    async def _serve(self, socket: ServerConnection) -> None:
        try:
            async for frame in socket:
                request = json.loads(frame)
                method, params = request["method"], request["params"]
                self.calls.put_nowait((method, params))
                answer = await self._answer(method, params)
                if answer is not NO_ANSWER:
                    await _send(socket, {"type": "res", "id": request["id"], **answer})
        finally:
            self.sockets.discard(socket)
            self.left.set()

    async def _answer(self, method: str, params: dict[str, Any]) -> Any:
        unknown = Refusal("INVALID_REQUEST", f"unknown method: {method}")
        answer = self.methods.get(method, unknown)
        if callable(answer):
            try:
                answer = answer(params)
                if inspect.isawaitable(answer):
                    answer = await answer
            except Refusal as exc:
                answer = exc
        if isinstance(answer, Refusal):
            return {"ok": False, "error": answer.body()}
        return answer if answer is NO_ANSWER else {"ok": True, "payload": answer}


def _objection_to_device(params: dict[str, Any], *, nonce: str, now: int) -> Refusal | None:
    device, client = params.get("device"), params["client"]
    if device is None:
        return Refusal("NOT_PAIRED", "device identity required", {"code": "DEVICE_IDENTITY_REQUIRED"})
    public = _from_base64url(device["publicKey"])
    if device["id"] != hashlib.sha256(public).hexdigest():
        return _bad("device id mismatch", "DEVICE_AUTH_DEVICE_ID_MISMATCH")
    if (device["nonce"], device["signedAt"]) != (nonce, now):
        return _bad("device nonce mismatch", "DEVICE_AUTH_NONCE_MISMATCH")
    words = (
        "v2", device["id"], client["id"], client["mode"], params["role"], ",".join(params["scopes"]),
        str(now), params["auth"].get("token") or "", nonce,
    )  # fmt: skip
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(
            _from_base64url(device["signature"]), "|".join(words).encode()
        )
    except InvalidSignature:
        return _bad("device signature invalid", "DEVICE_AUTH_SIGNATURE_INVALID")
    return None


def _bad(message: str, reason: str) -> Refusal:
    return Refusal("INVALID_REQUEST", message, {"code": reason}, {"retryable": False})


def _from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def _send(socket: ServerConnection, message: dict[str, Any]) -> None:
    await socket.send(json.dumps(message))


@asynccontextmanager
async def running(gateway: FakeGateway) -> AsyncIterator[FakeGateway]:
    """Run it for the length of the block."""
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.crash()


@asynccontextmanager
async def raw_server(talk: Callable[[ServerConnection], Any]) -> AsyncIterator[int]:
    """Something else that speaks WebSocket; returns its port."""
    port = free_port()
    async with serve(talk, "127.0.0.1", port, compression=None, close_timeout=1, ping_interval=None):
        yield port
