"""The clients that add things of their own, and take the oldest of many away: each change can be proved."""

import itertools
import time
from collections import deque
from typing import Any

from buddy_common.errors import NoSuchModelError
from chaos.caller import Answer, Caller
from chaos.facts import Attempt, Said
from chaos.keys import GONE, MODEL, NOTE, PROVIDER, ROW, THERE
from chaos.writers import SECOND_MODEL, outcome_of

KEPT = 10  # so many entries stand at a time; what nobody knows the fate of comes on top


class ModelWriter:
    """Adds models to a provider, each of its own id, and takes the oldest out again."""

    pause_seconds = 2.0
    _path = "/v1/openclaw/models/provider"

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self._numbers = itertools.count(1)
        self._there: deque[str] = deque()

    async def once(self) -> str | None:
        """Add one; take one out where there are many."""
        name = f"soak-{next(self._numbers)}"
        body: dict[str, Any] = {**SECOND_MODEL, "provider": PROVIDER, "id": name, "name": name}
        began = time.time()
        answer = await self.caller.ask("POST", f"{self._path}/model", json=body)
        said = await outcome_of(self.caller, answer)
        self._note(name, THERE, began, said)
        if said is Said.ACKNOWLEDGED:
            self._there.append(name)
        if len(self._there) > KEPT:
            await self._delete(self._there.popleft())
        return None if said is Said.ACKNOWLEDGED else f"{said}: {answer}"

    async def _delete(self, name: str) -> None:
        path, began = f"{self._path}/{PROVIDER}/model", time.time()
        answer = await self.caller.ask("DELETE", f"{path}/{name}", what=f"{path}/{{model}}")
        said = await outcome_of(self.caller, answer)
        self._note(name, GONE, began, said)
        is_there = answer is not None and answer.error != NoSuchModelError.error
        if said is Said.REFUSED and is_there:  # for now
            self._there.append(name)

    def _note(self, name: str, value: str, began: float, said: Said) -> None:
        attempt = Attempt(f"{MODEL}{name}", value, began, time.time(), said)
        self.caller.facts.attempts.append(attempt)


class NoteWriter:
    """Writes a new file into a bot's workspace every time. The API deletes none: a run makes some 100."""

    pause_seconds = 4.0

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self._numbers = itertools.count(1)

    async def once(self) -> str | None:
        """Write the next file."""
        number = next(self._numbers)
        name, value, began = f"memory/soak-{number}.md", f"note {number}", time.time()
        body = {"id": "bot_1", "filename": name, "content": value}
        answer = await self.caller.ask("POST", "/v1/openclaw/bots/file", json=body)
        said = await outcome_of(self.caller, answer)
        self.caller.facts.attempts.append(Attempt(f"{NOTE}{name}", value, began, time.time(), said))
        return None if said is Said.ACKNOWLEDGED else f"{said}: {answer}"


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
        if len(self._there) > KEPT:
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
