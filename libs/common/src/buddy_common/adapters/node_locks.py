"""What only one may do at a time on a node: OS file locks in its state folder, gone with their holders.

Jobs and the watchdog use the same ones. flock(2) belongs to the open file: a child that inherits the
descriptor holds the lock, too, until it ends. No other program gets a descriptor of ours.
"""

import fcntl
import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from buddy_common.errors import StateUnwritableError
from buddy_common.schemas.job import NodeLock

# somebody who only looks whether a lock is free holds it for an instant
_TRIES = 3
# what a repair takes: no job begins with one of them while the watchdog waits for its turn
_REPAIRED = frozenset({NodeLock.LIFECYCLE, NodeLock.CONFIG})
_TRY_AGAIN_SECONDS = 0.02


class HeldLocks:
    """Locks that are held until `release`, or longer by children that were given the descriptors."""

    def __init__(self, descriptors: tuple[int, ...]) -> None:
        self.descriptors = descriptors

    def release(self) -> None:
        """Let go; called again it does nothing."""
        descriptors, self.descriptors = self.descriptors, ()
        for descriptor in descriptors:
            os.close(descriptor)


class NodeLocks:
    """The locks of one node. Every call takes milliseconds and may touch the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def try_hold(self, names: Collection[NodeLock]) -> HeldLocks | None:
        """Hold all of them, or none and return None: one is held elsewhere.

        Raises:
            StateUnwritableError: the state folder cannot be used.
        """
        held = HeldLocks(())
        for name in sorted(names):
            descriptor = self._open(name)
            held.descriptors += (descriptor,)
            if not _try_lock(descriptor):
                held.release()
                return None
        return held

    def try_hold_for_job(self, names: Collection[NodeLock]) -> HeldLocks | None:
        """Hold all of them as `try_hold`, or none where the watchdog is next.

        Raises:
            StateUnwritableError: the state folder cannot be used.
        """
        return self.try_hold(names) if self._is_turn_of_jobs(names) else None

    def are_free_for_job(self, names: Collection[NodeLock]) -> bool:
        """Whether nobody holds any of them now, and the watchdog is not next.

        Raises:
            StateUnwritableError: the state folder cannot be used.
        """
        return self._is_turn_of_jobs(names) and self.are_free(names)

    def are_free(self, names: Collection[NodeLock]) -> bool:
        """Whether nobody holds any of them now.

        Raises:
            StateUnwritableError: the state folder cannot be used.
        """
        return all(self._is_free(name) for name in names)

    def _is_turn_of_jobs(self, names: Collection[NodeLock]) -> bool:
        return _REPAIRED.isdisjoint(names) or self._is_free(NodeLock.REPAIR)

    def _is_free(self, name: NodeLock) -> bool:
        with _closing(self._open(name)) as descriptor:
            return _lock(descriptor, fcntl.LOCK_SH)

    def _open(self, name: NodeLock) -> int:
        path = self._folder / f"{name}.lock"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise StateUnwritableError(f"{path} cannot be opened: {exc.strerror}.") from exc


@contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    for last in (False,) * (_TRIES - 1) + (True,):
        if _lock(descriptor, fcntl.LOCK_EX):
            return True
        if not last:
            time.sleep(_TRY_AGAIN_SECONDS)
    return False


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
