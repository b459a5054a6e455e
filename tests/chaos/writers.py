"""The clients that change something: each owns a key, and makes it another value every time."""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from chaos.caller import Answer, Caller
from chaos.facts import Attempt, Said
from chaos.ledger import CONFIG

CHANGE_SECONDS = 180.0  # a change may wait for a gateway that starts
FINAL = {"Completed": Said.ACKNOWLEDGED, "Failed": Said.REFUSED, "Cancelled": Said.REFUSED}
ROWS_KEPT = 10
SECOND = {"apiKey": "sk-soak-1234567890", "api": "openai-completions"}
SECOND_MODEL = {"id": "deep-1", "name": "Deep", "contextWindow": 32000, "maxTokens": 4096}

BOT_NAME, LATER_BOT_NAME, PROVIDER_URL = (
    f"{CONFIG}{key}" for key in ("name of bot_1", "name of bot_2", "url of provider second")
)
FILE = "file: SOUL.md of bot_1"
ROW = "database: quick command "
THERE, GONE = "there", "gone"


class Writer:
    """Makes changes of one key and learns what became of each."""

    pause_seconds = 2.0

    def __init__(self, caller: Caller, key: str, path: str, *, later: bool = False) -> None:
        self.caller = caller
        self.key = key
        self._path = path
        self._headers = {"Prefer": "respond-async"} if later else {}
        self._numbers = itertools.count(1)

    async def once(self) -> str | None:
        """Make the next change, and follow it to its end."""
        value = f"v{next(self._numbers)}"
        began = time.time()
        answer = await self.caller.ask("POST", self._path, json=self._body(value), headers=self._headers)
        said = await self._outcome(answer)
        self.caller.facts.attempts.append(Attempt(self.key, value, began, time.time(), said))
        return None if said is Said.ACKNOWLEDGED else f"{said}: {answer}"

    def _body(self, value: str) -> dict[str, Any]:
        match self.key:
            case key if key == BOT_NAME:
                return {"id": "bot_1", "name": value}
            case key if key == LATER_BOT_NAME:
                return {"id": "bot_2", "name": value}
            case key if key == FILE:
                return {"id": "bot_1", "content": value}
        return {"provider": "second", "baseUrl": f"http://127.0.0.1:1/{value}"}

    async def _outcome(self, answer: Answer | None) -> Said:
        if answer is None:
            return Said.UNKNOWN
        if answer.status == 200:
            return Said.ACKNOWLEDGED
        if answer.status == 202:
            return await self._followed(answer.data["taskID"])
        return Said.REFUSED if answer.status < 500 else Said.UNKNOWN

    async def _followed(self, task_id: str) -> Said:
        """Wait for the end of a task, whatever happens to the api meanwhile."""
        with_limit = asyncio.timeout(CHANGE_SECONDS)
        try:
            async with with_limit:
                while True:
                    status = await self._status(task_id)
                    if status not in (None, "Queued", "Running"):
                        return FINAL.get(str(status), Said.UNKNOWN)
        except TimeoutError:
            return Said.UNKNOWN

    async def _status(self, task_id: str) -> str | None:
        query = {"taskId": task_id, "wait": 10}
        answer = await self.caller.ask(
            "GET", "/v1/tasks/status", what="/v1/tasks/status?taskId", params=query
        )
        if answer is not None and answer.is_good:
            return str(answer.data["status"])
        await asyncio.sleep(0.2)
        return None


class RowWriter:
    """Adds quick commands to the database, and deletes the oldest of many."""

    pause_seconds = 1.0

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self._numbers = itertools.count(1)
        self._there: deque[tuple[str, int]] = deque()

    async def once(self) -> str | None:
        """Add one; delete one where there are many."""
        key, began = f"{ROW}soak-{next(self._numbers)}", time.time()
        body = {"label": key.removeprefix(ROW), "prompt": "What is the answer?"}
        answer = await self.caller.ask("POST", "/v1/openclaw/chat/quick-commands", json=body)
        self._note(key, THERE, began, answer)
        if answer is not None and answer.is_good:
            self._there.append((key, answer.data["id"]))
        if len(self._there) > ROWS_KEPT:
            await self._delete(*self._there.popleft())
        return None if answer is not None and answer.is_good else str(answer)

    async def _delete(self, key: str, row: int) -> None:
        began = time.time()
        path = "/v1/openclaw/chat/quick-commands"
        answer = await self.caller.ask("DELETE", f"{path}/{row}", what=f"{path}/{{id}}")
        self._note(key, GONE, began, answer)

    def _note(self, key: str, value: str, began: float, answer: Answer | None) -> None:
        said = Said.UNKNOWN
        if answer is not None and answer.status < 500:
            said = Said.ACKNOWLEDGED if answer.is_good else Said.REFUSED
        self.caller.facts.attempts.append(Attempt(key, value, began, time.time(), said))


class Operator:
    """Does what a person does who looks on: gives repairs their budget back, and wants the gateway up."""

    pause_seconds = 15.0

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self._paths = _cycle()

    async def once(self) -> str | None:
        """Ask for the next job."""
        answer = await self.caller.ask("POST", next(self._paths), headers={"Prefer": "respond-async"})
        return None if answer is not None and answer.status == 202 else str(answer)


def _cycle() -> Iterator[str]:
    calm = ["/v1/heal/circuit/close", "/v1/gateway/start", "/v1/heal/circuit/close"]
    return itertools.cycle([*calm, *calm, "/v1/gateway/restart"])


def add_what_is_written(config: dict[str, Any]) -> None:
    """Put the bots and the provider into `openclaw.json` whose keys are changed."""
    config["agents"] |= {
        "entries": {"main": {}, "bot_1": {}, "bot_2": {}},
        "ownership": "explicit",
    }
    provider = {**SECOND, "baseUrl": "http://127.0.0.1:1/v0", "models": [SECOND_MODEL]}
    config.setdefault("models", {}).setdefault("providers", {})["second"] = provider
