"""Waiting for a process that is not our child to end, or to be stopped by a signal."""

import asyncio
import os

import psutil

LOOK_SECONDS = 1.0  # one small file of /proc


async def wait_for_end(pid: int, *, seconds: float) -> bool:
    """Return True as soon as the process ends, False when the time is up.

    Linux tells at once (pidfd_open(2)); elsewhere, or without the permission, only the time passes.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    except (AttributeError, OSError):
        await asyncio.sleep(seconds)
        return False
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        async with asyncio.timeout(seconds):
            await ended.wait()
    except TimeoutError:
        return False
    else:
        return True
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def wait_for_freeze(pid: int) -> bool:
    """Return True as soon as the process is stopped by a signal, or cannot be looked at: nobody tells."""
    while True:
        if not await asyncio.to_thread(_runs, pid):
            return True
        await asyncio.sleep(LOOK_SECONDS)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_STOPPED
    except psutil.Error:
        return False
