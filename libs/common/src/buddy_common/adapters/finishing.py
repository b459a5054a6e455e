"""Work that is not left half done, although whoever waits for it is cancelled."""

import asyncio
from collections.abc import Coroutine
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
