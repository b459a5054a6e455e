"""Work that is under way for clients: it ends with its client, and with the process after a bounded wait."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from enum import Enum
from typing import Any

from starlette.types import Receive


class End(Enum):
    """Why a piece of work is over."""

    DONE = "done"
    CLIENT_LEFT = "client left"
    STOPPED = "stopped"


class Running:
    """All answers that are being given."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped: set[asyncio.Task[None]] = set()

    async def until_left(self, work: Coroutine[Any, Any, None], left: Callable[[], Awaitable[None]]) -> End:
        """Run `work` to its end, or until `left` returns or `stop` is called; then it is cancelled."""
        task = asyncio.create_task(work)
        watch = asyncio.ensure_future(left())
        self._tasks.add(task)
        try:
            await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                return End.CLIENT_LEFT
            if task.cancelled():
                return End.STOPPED if task in self._stopped else End.CLIENT_LEFT
            task.result()
            return End.DONE
        finally:
            self._tasks.discard(task)
            self._stopped.discard(task)
            task.cancel()
            watch.cancel()
            await asyncio.gather(task, watch, return_exceptions=True)

    async def drain(self, *, seconds: float) -> None:
        """Wait for all work to end, and end what is left then."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds)
        for task in list(self._tasks):
            self._stopped.add(task)
            task.cancel()

    def __len__(self) -> int:
        return len(self._tasks)


async def disconnected(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
