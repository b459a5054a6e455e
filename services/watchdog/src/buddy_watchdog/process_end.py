"""Waiting for a process that is not our child to end."""

import asyncio
import os


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
