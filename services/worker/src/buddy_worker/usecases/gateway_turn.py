"""Take a turn at what one job at a time may do, in the middle of a job that does not hold it all along."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.errors import DeadlineExceededError
from buddy_common.schemas.job import NodeLock

LOOK_SECONDS = 0.25
# an operator's own start or restart, or a change, may be under way
GATEWAY_TURN_SECONDS = 720.0
_DOES = {NodeLock.LIFECYCLE: "starts or stops the gateway"}


def hold_gateway(host: HostPlane, *, seconds: float) -> AbstractAsyncContextManager[None]:
    """Hold the lock of the gateway's life cycle for the block, once nobody else does.

    Raises:
        DeadlineExceededError: somebody else held it for so long.
        StateUnwritableError: the state folder cannot be used.
    """
    return hold_lock(host, NodeLock.LIFECYCLE, seconds=seconds)


@asynccontextmanager
async def hold_lock(host: HostPlane, lock: NodeLock, *, seconds: float) -> AsyncIterator[None]:
    """Do the same with any lock.

    Raises:
        DeadlineExceededError: somebody else held it for so long.
        StateUnwritableError: the state folder cannot be used.
    """
    deadline = time.monotonic() + seconds
    while (held := await asyncio.to_thread(host.locks.try_hold, {lock})) is None:
        if time.monotonic() >= deadline:
            does = _DOES.get(lock, f"holds the {lock} lock")
            raise DeadlineExceededError(f"Somebody else {does} for {seconds:.0f} s.")
        await asyncio.sleep(LOOK_SECONDS)
    try:
        yield
    finally:
        held.release()
