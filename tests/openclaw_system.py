"""One `buddy up` with a real OpenClaw, the model that it talks to, and a chat with it."""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from background import repeated
from e2e.machine import REAL_READY_SECONDS, Buddy, Machine
from fakes.model_provider import HeldAnswers, ModelProvider
from fakes.ports import free_port
from real_openclaw import Generation, RealOpenClaw

QUESTION = "What is the answer?"
START_SECONDS = 120.0  # for a cold start, or a first chat, on a machine under load
WATCH_SECONDS = 0.25  # a second gateway would be there for as long as it takes to fail


@dataclass
class System:
    """All that a test on the real program needs."""

    buddy: Buddy
    openclaw: RealOpenClaw
    provider: ModelProvider

    def run(self, action: str, **payload: Any) -> dict[str, Any]:
        """Start, stop or restart the gateway; return the task as it ended."""
        return self.buddy.finish(f"/v1/gateway/{action}", **payload)

    def ensure_running(self) -> int:
        """Start the gateway unless it runs; return its pid."""
        task = self.run("start")
        assert task["status"] == "Completed", task
        return int(task["result"]["pid"])

    def ensure_stopped(self) -> None:
        """Stop the gateway if it runs."""
        task = self.run("stop")
        assert task["status"] == "Completed", task

    def heal(self, *, on: bool) -> None:
        """Let the watchdog repair, or only look."""
        answer = self.buddy.request(
            "POST",
            "/v1/settings/self-healing",
            json={"mode": "on" if on else "off"},
            headers={"Prefer": "respond-async"},
        )
        task = self.buddy.finish_task(answer.json()["data"]["taskID"])
        assert task["status"] == "Completed", task

    def gateway_pids(self) -> list[int]:
        """Return the pids of all gateways that run with this state folder."""
        return [process.pid for process in self.buddy.machine.gateways()]

    def listening_on(self) -> set[str]:
        """Return the addresses on which the one gateway accepts connections."""
        (pid,) = self.gateway_pids()
        return {
            connection.laddr.ip
            for connection in psutil.Process(pid).net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }

    def is_ready(self) -> bool:
        """Whether the gateway itself says so."""
        url = f"http://127.0.0.1:{self.openclaw.port}/readyz"
        try:
            answer = httpx.get(url, headers={"Accept": "application/json"}, timeout=10, trust_env=False)
        except httpx.HTTPError:
            return False
        return answer.status_code == httpx.codes.OK and answer.json()["ready"] is True

    def said(self, text: str) -> int:
        """Return how often the gateway has said this."""
        logs = (self.buddy.machine.home / "logs").glob("gateway-*.log")
        return sum(log.read_text(errors="replace").count(text) for log in logs)

    @contextlib.contextmanager
    def watched(self) -> Iterator[list[list[int]]]:
        """Collect which gateways run at the same time, for as long as the block runs."""
        seen: list[list[int]] = []
        with repeated(lambda: seen.append(self.gateway_pids()), every_seconds=WATCH_SECONDS):
            yield seen

    @contextlib.contextmanager
    def chat(self) -> Iterator["RunningChat"]:
        """Chat through the gateway's own API; the chat has ended with the block."""
        chat = RunningChat(f"http://127.0.0.1:{self.openclaw.port}", self.openclaw.token)
        try:
            yield chat
        finally:
            chat.join()

    @contextlib.contextmanager
    def held_chat(self) -> Iterator[tuple["RunningChat", HeldAnswers]]:
        """Chat, with an answer that stops halfway until it is released; half of it has arrived."""
        with self.provider.hold() as held, self.chat() as chat:
            try:
                assert chat.words_came.wait(START_SECONDS), chat.problem
                yield chat, held
            finally:
                held.release()


class RunningChat:
    """A streamed chat that is read in a thread of its own."""

    def __init__(self, gateway_url: str, token: str) -> None:
        self._question = {
            "model": "openclaw",
            "messages": [{"role": "user", "content": QUESTION}],
            "stream": True,
        }
        self.words_came = threading.Event()
        self.text = ""
        self.whole = False  # the stream ended as it should: with `[DONE]`
        self.problem: Exception | str | None = None
        self._url = f"{gateway_url}/v1/chat/completions"
        # the older generation asks for the scope; the newer one passes over it
        self._headers = {"Authorization": f"Bearer {token}", "x-openclaw-scopes": "operator.write"}
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for the end of the stream."""
        self._thread.join(timeout=REAL_READY_SECONDS)
        if self._thread.is_alive():
            raise TimeoutError(f"the chat has not ended; so far: {self.text!r}")

    def _read(self) -> None:
        client = httpx.Client(headers=self._headers, timeout=REAL_READY_SECONDS, trust_env=False)
        try:
            with client, client.stream("POST", self._url, json=self._question) as answer:
                if answer.status_code != httpx.codes.OK:
                    answer.read()
                    self.problem = f"{answer.status_code}: {answer.text}"
                for line in answer.iter_lines():
                    self._take(line.removeprefix("data: "))
        except httpx.HTTPError as exc:
            self.problem = exc

    def _take(self, data: str) -> None:
        if data == "[DONE]":
            self.whole = True
        elif data.startswith("{"):
            event = json.loads(data)
            if "error" in event:
                self.problem = str(event["error"])
            for choice in event.get("choices", []):
                self.text += choice["delta"].get("content") or ""
            if self.text:
                self.words_came.set()


@contextlib.contextmanager
def running_system(
    generation: Generation, folder: Path, gateway: dict[str, Any] | None = None, /, **environment: str
) -> Iterator[System]:
    """Start everything with ports, state and home of its own; nothing of it is left afterwards.

    `gateway` is what else that section of the config has.
    """
    provider = ModelProvider()
    try:
        config = {
            "gateway": {"http": {"endpoints": {"chatCompletions": {"enabled": True}}}, **(gateway or {})},
            "logging": {"file": str(folder / "openclaw.log")},  # else all gateways of a user share one
            **provider.config,
        }
        openclaw = RealOpenClaw.prepare(generation, folder / "openclaw", port=free_port(), config=config)
        machine = Machine(folder, openclaw, **openclaw.environment, **environment)
        try:
            buddy = machine.up()
            system = System(buddy, openclaw, provider)
            system.ensure_running()
            yield system
        finally:
            machine.close()
    finally:
        provider.close()
