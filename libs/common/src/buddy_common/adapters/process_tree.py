"""Ends all that a keeper keeps, from any process of this host."""

import time
from collections.abc import Callable
from contextlib import suppress
from signal import SIGTERM

import psutil

from buddy_common.adapters import processes
from buddy_common.schemas.processes import ProcessIdentity

# the variable by which a keeper marks what it starts
MARK = "BUDDY_KEEPER"
# what SIGKILL may take to show; a process that hangs in the kernel is not waited for any longer
KILL_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.02


def end_process_group(process: ProcessIdentity, *, seconds: float) -> bool:
    """End a keeper with all that came of its program: SIGTERM, `seconds`, SIGKILL.

    If the keeper was killed, what it kept is found by its mark. No other process is ever signalled.
    Blocks. Returns whether nothing is left.
    """
    if processes.send_signal(process, SIGTERM):  # the keeper hands it on
        _wait(lambda: not processes.is_alive(process), seconds)
    return _wait(lambda: not _kill(_left_of(process)), KILL_SECONDS)


def _left_of(keeper: ProcessIdentity) -> list[psutil.Process]:
    """Return who is to be killed next: as long as the keeper lives, it adopts whoever escapes."""
    with suppress(psutil.NoSuchProcess):  # it ends while we look
        if processes.is_alive(keeper):
            parent = psutil.Process(keeper.pid)
            return [child for child in parent.children(recursive=True) if _is_running(child)] or [parent]
    mark = f"{keeper.pid}:{keeper.started}"
    return [process for process in psutil.process_iter() if _mark_of(process) == mark]


def _is_running(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _mark_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except (psutil.Error, OSError):  # gone, or somebody else's
        return None


def _kill(left: list[psutil.Process]) -> bool:
    """Send SIGKILL; whether there was anyone."""
    for process in left:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            process.kill()
    return bool(left)


def _wait(until: Callable[[], bool], seconds: float) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not until():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_LOOK_AGAIN_SECONDS)
    return True
