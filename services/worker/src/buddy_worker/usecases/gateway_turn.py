"""Take a turn at the gateway's life cycle in the middle of a job that does not hold it all along."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.errors import DeadlineExceededError
from buddy_common.schemas.job import NodeLock

LOOK_SECONDS = 0.25


@asynccontextmanager
async def hold_gateway(host: HostPlane, *, seconds: float) -> AsyncIterator[None]:
    """Hold the lock of the gateway's life cycle for the block, once nobody else does.

    Raises:
        DeadlineExceededError: somebody else held it for so long.
        StateUnwritableError: the state folder cannot be used.
    """
    deadline = time.monotonic() + seconds
    while (held := await asyncio.to_thread(host.locks.try_hold, {NodeLock.LIFECYCLE})) is None:
        if time.monotonic() >= deadline:
            raise DeadlineExceededError(f"Somebody else starts or stops the gateway for {seconds:.0f} s.")
        await asyncio.sleep(LOOK_SECONDS)
    try:
        yield
    finally:
        held.release()
