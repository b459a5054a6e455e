"""An OpenAI-compatible model on a free loopback port, whose answer a test can keep back halfway.

Shaped by what both generations of OpenClaw ask of a provider: `POST /v1/chat/completions`, streamed and
with a usage chunk at the end. It answers every question with the same words.
"""

import contextlib
import json
import select
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "stand-in-1"
PROVIDER = "standin"
FIRST_HALF, SECOND_HALF = "The first half,", " and the second half."
ANSWER = FIRST_HALF + SECOND_HALF
REFUSAL = "This stand-in takes no such question."
HOLD_SECONDS = 280.0  # a test that forgets to release an answer does not hang for ever
_LOOK_SECONDS = 0.1


class HeldAnswers:
    """Answers that stop after their first half until the test lets them go on."""

    def __init__(self) -> None:
        self.reached = threading.Event()  # an answer waits halfway
        self.abandoned = threading.Event()  # whoever asked went away meanwhile
        self._released = threading.Event()

    def release(self) -> None:
        """Let the answers go on."""
        self._released.set()

    def wait(self, handler: BaseHTTPRequestHandler) -> bool:
        """Wait until the answers may go on; False when nobody waits for this one any more."""
        self.reached.set()
        deadline = time.monotonic() + HOLD_SECONDS
        while not self._released.wait(_LOOK_SECONDS):
            if _has_hung_up(handler) or time.monotonic() > deadline:
                self.abandoned.set()
                return False
        return True


class ModelProvider:
    """The server; it runs until it is closed."""

    def __init__(self) -> None:
        self._bodies: list[dict[str, Any]] = []
        self._arrived = threading.Condition()
        self._held: HeldAnswers | None = None
        self._refuses = False
        provider = self

        class Handler(_Handler):
            def answer(self, body: dict[str, Any]) -> None:
                held = provider._note(body)
                if provider._refuses:
                    self.refuse()
                else:
                    self.complete(body, held=held)

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_LOOK_SECONDS,))
        self._thread.start()

    @property
    def url(self) -> str:
        """What OpenClaw calls `baseUrl`."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    @property
    def config(self) -> dict[str, Any]:
        """The sections of `openclaw.json` that make every agent use this model."""
        model = {"id": MODEL, "name": "Stand-in", "contextWindow": 64000, "maxTokens": 4096}
        provider = {"baseUrl": self.url, "apiKey": "sk-stand-in", "api": "openai-completions"}
        return {
            "models": {"providers": {PROVIDER: {**provider, "models": [model]}}},
            "agents": {"defaults": {"model": {"primary": f"{PROVIDER}/{MODEL}"}}},
        }

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What was asked so far, in order."""
        with self._arrived:
            return list(self._bodies)

    @property
    def requests(self) -> int:
        """How often a completion was asked for."""
        return len(self.bodies)

    def wait_for_requests(self, count: int, *, seconds: float) -> bool:
        """Wait until so many completions were asked for; False when that did not happen in time."""
        with self._arrived:
            return self._arrived.wait_for(lambda: len(self._bodies) >= count, timeout=seconds)

    @contextlib.contextmanager
    def hold(self) -> Iterator[HeldAnswers]:
        """Keep answers that begin inside the block back halfway, at the latest until it ends."""
        held = HeldAnswers()
        with self._arrived:
            self._held = held
        try:
            yield held
        finally:
            with self._arrived:
                self._held = None
            held.release()

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Take no question while the block runs."""
        self._refuses = True
        try:
            yield
        finally:
            self._refuses = False

    def close(self) -> None:
        """Stop listening; answers that are being held go on first."""
        with self._arrived:
            if self._held is not None:
                self._held.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

    def _note(self, body: dict[str, Any]) -> HeldAnswers | None:
        with self._arrived:
            self._bodies.append(body)
            self._arrived.notify_all()
            return self._held


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a gateway that was killed
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body: dict[str, Any]) -> None:
        raise NotImplementedError

    def do_GET(self) -> None:
        self._json({"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": PROVIDER}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        with contextlib.suppress(ConnectionError):  # OpenClaw gives up an answer when its client leaves
            self.answer(body)

    def refuse(self) -> None:
        self._json({"error": {"message": REFUSAL, "type": "invalid_request_error"}}, status=400)

    def complete(self, body: dict[str, Any], *, held: HeldAnswers | None) -> None:
        usage = {"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13}
        if not body.get("stream"):
            if held is None or held.wait(self):
                choice = {"index": 0, "finish_reason": "stop", "message": _delta(ANSWER)}
                self._json({**_head("chat.completion"), "choices": [choice], "usage": usage})
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._event(_chunk(_delta(FIRST_HALF)))
        if held is not None and not held.wait(self):
            self.close_connection = True
            return
        self._event(_chunk({"content": SECOND_HALF}))
        self._event(_chunk({}, finish_reason="stop"))
        self._event({**_head("chat.completion.chunk"), "choices": [], "usage": usage})
        self._event("[DONE]")
        self._write(b"")

    def _event(self, data: dict[str, Any] | str) -> None:
        text = data if isinstance(data, str) else json.dumps(data)
        self._write(f"data: {text}\n\n".encode())

    def _write(self, data: bytes) -> None:
        """Send one chunk; an empty one is the last."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _json(self, document: dict[str, Any], *, status: int = 200) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def _delta(content: str) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def _head(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-stand-in", "object": kind, "created": int(time.time()), "model": MODEL}


def _chunk(delta: dict[str, Any], *, finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {**_head("chat.completion.chunk"), "choices": [choice]}


def _has_hung_up(handler: BaseHTTPRequestHandler) -> bool:
    """Whether the other side has closed the connection; it sends nothing while it waits for an answer."""
    readable, _, _ = select.select([handler.connection], [], [], 0)
    return bool(readable)
