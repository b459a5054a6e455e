"""One lifecycle job at a time on a node: an OS file lock, gone with the process that holds it."""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from buddy_common.errors import StateUnwritableError

_RETRY_SECONDS = 0.1  # flock cannot be awaited


@asynccontextmanager
async def node_lock(
    path: Path, *, on_wait: Callable[[], Awaitable[None]] | None = None
) -> AsyncIterator[None]:
    """Hold the lock; `on_wait` is called once if another holds it. The caller sets the deadline."""
    file = await asyncio.to_thread(_open, path)
    with file:
        waited = False
        while not _try_lock(file.fileno()):
            if not waited and on_wait is not None:
                await on_wait()
            waited = True
            await asyncio.sleep(_RETRY_SECONDS)
        yield


def _open(path: Path) -> BinaryIO:
    """Python's descriptors are not inherited, so a gateway that a job starts has no part in the lock."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab")
    except OSError as exc:
        raise StateUnwritableError(f"{path} cannot be opened: {exc.strerror}.") from exc


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
