"""Work that is under way for clients: it ends with its client, and with the process after a bounded wait."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from enum import Enum
from typing import Any

from starlette.types import Receive

# seconds until it is asked whether a client is still there
LOOK_AFTER = 0.05


class End(Enum):
    """Why a piece of work is over."""

    DONE = "done"
    CLIENT_LEFT = "client left"
    STOPPED = "stopped"


class Running:
    """All answers that are being given."""

    def __init__(self) -> None:
        self._all: set[_Work] = set()
        self._none = asyncio.Event()

    async def until_left(
        self,
        work: Coroutine[Any, Any, None],
        left: Callable[[], Coroutine[Any, Any, None]],
        *,
        look_after: float = 0.0,
    ) -> End:
        """Run `work` to its end, or until `left` returns or `drain` is over; then it is cancelled.

        It runs in the caller's task, and `left` is called after a while only: most answers are out by then,
        and tasks cost more than they.
        """
        this = _Work(left)
        self._all.add(this)
        self._none.clear()
        this.watch(look_after)
        try:
            await work
        except asyncio.CancelledError:
            if not this.is_ours():
                raise
            return this.end
        finally:
            self._all.discard(this)
            if not self._all:
                self._none.set()
            await this.close()
        return End.DONE

    async def drain(self, *, seconds: float) -> None:
        """Wait for all work to end, and end what is left then."""
        if self._all:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._none.wait()
        for work in list(self._all):
            work.cut(End.STOPPED)

    def __len__(self) -> int:
        return len(self._all)


class _Work:
    """One piece of work, in a task that does other things before and after it."""

    def __init__(self, left: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("work is under way in tasks only")
        self._task = task
        self._cancelled_before = task.cancelling()
        self._left = left
        self._timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.Task[None] | None = None
        self.end = End.DONE

    def watch(self, after: float) -> None:
        """Begin to ask whether the client has left."""
        if after:
            self._timer = asyncio.get_running_loop().call_later(after, self.watch, 0.0)
        else:
            self._watch = asyncio.create_task(self._left())
            self._watch.add_done_callback(self._has_left)

    def _has_left(self, watch: "asyncio.Task[None]") -> None:
        if not watch.cancelled():
            watch.exception()  # whatever it is, there is nobody to tell
            self.cut(End.CLIENT_LEFT)

    def cut(self, end: End) -> None:
        """Cancel the work, unless it is being cancelled already, or over."""
        if self.end is End.DONE:
            self.end = end
            self._task.cancel()

    def is_ours(self) -> bool:
        """Whether the cancellation that came is that of `cut`, and no other: then it is over."""
        return self.end is not End.DONE and self._task.uncancel() <= self._cancelled_before

    async def close(self) -> None:
        """Watch no more."""
        if self.end is End.DONE:
            self.end = End.CLIENT_LEFT  # too late to cut anything
        if self._timer is not None:
            self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)


async def disconnected(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
