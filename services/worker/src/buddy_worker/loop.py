"""One event loop per worker process, on a thread of its own; Celery's threads hand it coroutines."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


class LoopThread:
    """Runs coroutines for threads that have no loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loop", daemon=True)

    def start(self) -> None:
        """Start the loop."""
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        """Run a coroutine to its end and return its result, or raise what it raised."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a background task and return it; the caller keeps it."""
        return self.run(_as_task(coroutine))

    def call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call a function inside the loop after a while; safe in a signal handler."""
        self._loop.call_soon_threadsafe(self._loop.call_later, seconds, callback)


async def _as_task(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    return asyncio.get_running_loop().create_task(coroutine)
