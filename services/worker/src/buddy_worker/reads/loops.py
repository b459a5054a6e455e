"""The loops that the reader consists of."""

import asyncio
from collections.abc import Awaitable, Callable


async def never_ending(work: Callable[[], Awaitable[None]]) -> None:
    """Run a loop until it is stopped; one that ends by what was cancelled below it has crashed.

    Raises:
        RuntimeError: it ended, and nobody had stopped it: the group of the loops would not notice.
    """
    try:
        await work()
    except asyncio.CancelledError as exc:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise RuntimeError("A loop of the reader ended, and nobody had stopped it.") from exc
