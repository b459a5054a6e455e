"""The clients that make one key another value every time, so that the order of changes is proved, too."""

import asyncio
import itertools
import time
from collections.abc import Iterator
from typing import Any

from buddy_common.errors import BuddyError, StateUnwritableError
from chaos.caller import Answer, Caller
from chaos.facts import Attempt, Said
from chaos.keys import BOT_NAME, FILE, LATER_BOT_NAME, PROVIDER

CHANGE_SECONDS = 180.0  # a change may wait for a gateway that starts
FINAL = {"Completed": Said.ACKNOWLEDGED, "Failed": Said.REFUSED, "Cancelled": Said.REFUSED}
# no room to write, which may have been the way back; a bug of ours, which is told elsewhere
MAY_STAND = (StateUnwritableError.error, BuddyError.error)
SECOND = {"apiKey": "sk-soak-1234567890", "api": "openai-completions", "baseUrl": "http://127.0.0.1:1/v1"}
SECOND_MODEL = {"id": "deep-1", "name": "Deep", "contextWindow": 32000, "maxTokens": 4096}


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
        said = await outcome_of(self.caller, answer)
        self.caller.facts.attempts.append(Attempt(self.key, value, began, time.time(), said))
        return None if said is Said.ACKNOWLEDGED else f"{said}: {answer}"

    def _body(self, value: str) -> dict[str, Any]:
        bodies = {
            BOT_NAME: {"id": "bot_1", "name": value},
            LATER_BOT_NAME: {"id": "bot_2", "name": value},
            FILE: {"id": "bot_1", "content": value},
        }
        return bodies[self.key]


async def outcome_of(caller: Caller, answer: Answer | None) -> Said:
    """Return what the answer to a change says of it, in the end."""
    if answer is None:
        return Said.UNKNOWN
    if answer.status == 200:
        return Said.ACKNOWLEDGED
    if answer.status == 202:
        return await _followed(caller, answer.data["taskID"])
    return Said.REFUSED if answer.status < 500 else Said.UNKNOWN


async def _followed(caller: Caller, task_id: str) -> Said:
    """Wait for the end of a task, whatever happens to the api meanwhile."""
    try:
        async with asyncio.timeout(CHANGE_SECONDS):
            while True:
                task = await _task(caller, task_id)
                if task is not None and task["status"] not in ("Queued", "Running"):
                    return said_by(task)
    except TimeoutError:
        return Said.UNKNOWN


def said_by(task: dict[str, Any]) -> Said:
    """Return what a task that has ended says of its change."""
    if task["errorCode"] in MAY_STAND:
        return Said.UNKNOWN
    return FINAL.get(task["status"], Said.UNKNOWN)


async def _task(caller: Caller, task_id: str) -> dict[str, Any] | None:
    query = {"taskId": task_id, "wait": 10}
    answer = await caller.ask("GET", "/v1/tasks/status", what="/v1/tasks/status?taskId", params=query)
    if answer is not None and answer.is_good:
        task: dict[str, Any] = answer.data
        return task
    await asyncio.sleep(0.2)
    return None


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
    provider = {**SECOND, "models": [SECOND_MODEL]}
    config.setdefault("models", {}).setdefault("providers", {})[PROVIDER] = provider
