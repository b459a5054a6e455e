"""The clients that read: of lists, of tasks and of logs; and what all kinds of client have in common."""

import asyncio
import json
import random
import time
from collections.abc import Sequence
from typing import Any, Protocol

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from chaos.caller import Caller, ImproperError, Note, judge
from chaos.facts import End

LISTS = (
    "/ready", "/v1/openclaw/status", "/v1/openclaw/bots-models", "/v1/openclaw/models/config",
    "/v1/openclaw/skills", "/v1/openclaw/plugins", "/v1/openclaw/sessions", "/v1/openclaw/chat/status",
    "/v1/openclaw/chat/quick-commands", "/v1/openclaw/version", "/v1/heal/events", "/v1/heal/incidents",
    "/v1/heal/reports", "/v1/heal/backups", "/v1/heal/quarantine", "/v1/stats/health", "/v1/system/info",
    "/v1/system/events", "/v1/settings/self-healing", "/v1/nodes", "/v1/capabilities",
)  # fmt: skip
LISTEN_SECONDS = 10.0
FIRST_FRAME_SECONDS = 30.0


class Client(Protocol):
    """One kind of client."""

    caller: Caller
    pause_seconds: float

    async def once(self) -> str | None:
        """Do what it does, once; return what went wrong, None where it was served."""
        ...


async def keep_on(client: Client, stop: asyncio.Event) -> None:
    """Let the client do what it does again and again, with a pause, until the stop."""
    while not stop.is_set():
        await client.once()
        pause = client.pause_seconds * random.uniform(0.5, 1.5)
        try:
            async with asyncio.timeout(pause):
                await stop.wait()
        except TimeoutError:
            continue


class ListReader:
    """Reads one list after the other; now and then a fresh one."""

    pause_seconds = 0.3

    def __init__(self, caller: Caller, paths: Sequence[str] = LISTS) -> None:
        self.caller = caller
        self._paths = paths
        self._turn = 0

    async def once(self) -> str | None:
        """Read the next list."""
        path = self._paths[self._turn % len(self._paths)]
        self._turn += 1
        fresh = {"refresh": "true"} if path == "/v1/openclaw/bots-models" else None
        answer = await self.caller.ask("GET", path, params=fresh)
        if answer is None:
            return f"{path}: no answer"
        return None if answer.is_good else f"{path}: {answer.error}"


class TaskPoller:
    """Looks at the list of tasks, and waits for news of one of them."""

    pause_seconds = 0.5

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    async def once(self) -> str | None:
        """Look at the newest tasks, and at one that some client was given."""
        answer = await self.caller.ask("GET", "/v1/tasks/status", params={"limit": 20})
        if answer is None or not answer.is_good:
            return "no list of tasks"
        known = list(self.caller.facts.accepted)
        if not known:
            return None
        query = {"taskId": random.choice(known), "wait": 2}
        answer = await self.caller.ask(
            "GET", "/v1/tasks/status", what="/v1/tasks/status?taskId", params=query
        )
        return None if answer is not None and answer.is_good else "no task"


class LogReader:
    """Follows a log by WebSocket for a while, then comes anew."""

    pause_seconds = 0.5

    def __init__(self, caller: Caller, source: str) -> None:
        self.caller = caller
        self._url = f"{caller.url.replace('http', 'ws', 1)}/v1/ws/logs?source={source}&history_lines=50"
        self._what = f"WS /v1/ws/logs?source={source}"

    async def once(self) -> str | None:
        """Take the history, and lines for as long as one listens."""
        async with self.caller.noted(self._what) as note:
            await self._listen(note)
        return None if note.end is End.ANSWERED and note.said == "101" else note.said

    async def _listen(self, note: Note) -> None:
        try:
            async with connect(
                self._url,
                additional_headers=self.caller.headers,
                proxy=None,
                max_size=None,
                open_timeout=None,
            ) as socket:
                async with asyncio.timeout(FIRST_FRAME_SECONDS):
                    frame = json.loads(await socket.recv())
                if frame.get("type") != "LOG_HISTORY":
                    raise ImproperError(f"the first frame is {str(frame)[:100]}")
                note.said = "101"
                until = time.monotonic() + LISTEN_SECONDS
                while (left := until - time.monotonic()) > 0:
                    try:
                        async with asyncio.timeout(left):
                            await socket.recv()
                    except TimeoutError:
                        return
        except ConnectionClosed as exc:
            code = exc.rcvd.code if exc.rcvd is not None else None
            if code is None:
                raise EOFError(str(exc)) from exc
            note.said = f"closed {code} {exc.rcvd.reason if exc.rcvd else ''}".strip()
        except InvalidStatus as exc:
            answer = judge(exc.response.status_code, _body_of(exc))
            note.said = f"{answer.status} {answer.error}"
        except InvalidHandshake as exc:
            raise EOFError(str(exc)) from exc


def _body_of(refusal: InvalidStatus) -> Any:
    try:
        return json.loads(refusal.response.body or b"")
    except ValueError as exc:
        raise ImproperError(f"{refusal.response.status_code} without JSON") from exc
