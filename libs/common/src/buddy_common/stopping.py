"""The moment when the process is told to stop: answers that could go on for long end then by themselves.

uvicorn waits for open answers before it ends the lifespan, so they must hear of the signal itself.
"""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import Any, TypeVar

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_Result = TypeVar("_Result")


class Stopping:
    """Whether this process was told to stop."""

    def __init__(self) -> None:
        self._told = asyncio.Event()

    def __bool__(self) -> bool:
        return self._told.is_set()

    async def cut(self, work: Coroutine[Any, Any, _Result]) -> _Result | None:
        """Return what `work` returns; None, and `work` is cancelled, once the process is to stop."""
        tasks = asyncio.create_task(work), asyncio.create_task(self._told.wait())
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return tasks[0].result() if tasks[0].done() else None
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def tell(self) -> None:
        """Stop, as a signal would. Inside the loop."""
        self._told.set()

    @asynccontextmanager
    async def afterwards(self, work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        """Do `work` as soon as the process is to stop, once; not at all where the block ends before."""

        async def wait_and_work() -> None:
            await self._told.wait()
            await work()

        task = asyncio.create_task(wait_and_work())
        try:
            yield
        finally:
            if not self:
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @contextmanager
    def told_by_signals(self) -> Iterator[None]:
        """Hear the signals that the server handles, and hand them on to it. Inside the loop."""
        if threading.current_thread() is not threading.main_thread():
            yield  # signals arrive in the main thread only
            return
        loop = asyncio.get_running_loop()
        # what nobody handles keeps its default: it ends the process by itself
        servers = {number: server for number in _SIGNALS if callable(server := signal.getsignal(number))}

        def hear(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._told.set)
            servers[signal.Signals(number)](number, frame)

        for number in servers:
            signal.signal(number, hear)
        try:
            yield
        finally:
            for number, server in servers.items():
                if signal.getsignal(number) is hear:
                    signal.signal(number, server)
