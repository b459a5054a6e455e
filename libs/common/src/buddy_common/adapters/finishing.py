"""Work that is not left half done, although whoever waits for it is cancelled."""

import asyncio
import math
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


async def to_its_end(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Await the work to its end, however often we are cancelled meanwhile; only then be cancelled.

    A thread cannot be stopped: who let go of a lock at once would let others in while it goes on.
    """
    task = asyncio.create_task(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])  # being cancelled, it leaves the task alone
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        task.exception()  # it has been looked at
        raise asyncio.CancelledError
    return task.result()


async def for_a_while(work: Coroutine[Any, Any, _Result], *, seconds: Callable[[], float]) -> _Result:
    """Do the same, but give it so many seconds once we are cancelled; then it is cancelled, too."""
    task = asyncio.create_task(work)
    ends = math.inf
    while not task.done() and (left := ends - time.monotonic()) > 0:
        try:
            await asyncio.wait([task], timeout=None if left == math.inf else left)
        except asyncio.CancelledError:
            ends = min(ends, time.monotonic() + seconds())
    if ends == math.inf:
        return task.result()
    task.cancel()
    await to_its_end(asyncio.wait([task]))
    if not task.cancelled():
        task.exception()  # it has been looked at
    raise asyncio.CancelledError
