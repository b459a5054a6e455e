"""One lifecycle job at a time on a node."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from buddy_common.adapters.node_lock import node_lock

HOLDER = """
import asyncio, sys
from pathlib import Path
from buddy_common.adapters.node_lock import node_lock

async def hold():
    async with node_lock(Path(sys.argv[1])):
        print("held", flush=True)
        await asyncio.sleep(3600)

asyncio.run(hold())
"""


class Waiter:
    """Takes the lock in a task of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.waits = 0
        self.waiting = asyncio.Event()
        self.held = asyncio.Event()
        self.release = asyncio.Event()
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async with node_lock(self._path, on_wait=self._on_wait):
            self.held.set()
            await self.release.wait()

    async def _on_wait(self) -> None:
        self.waits += 1
        self.waiting.set()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node" / "lifecycle.lock"


@pytest.fixture
async def holder(path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process that holds the lock."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(9):
        assert await process.stdout.readline() == b"held\n"
    yield process
    if process.returncode is None:
        process.kill()
    await process.wait()


async def test_free_lock_is_held_at_once(path: Path) -> None:
    waiter = Waiter(path)

    async with asyncio.timeout(5):
        await waiter.held.wait()
        waiter.release.set()
        await waiter.task

    assert waiter.waits == 0


async def test_second_waits_until_the_first_is_done_and_says_so_once(path: Path) -> None:
    async with asyncio.timeout(5):
        async with node_lock(path):
            second = Waiter(path)
            await second.waiting.wait()
            with pytest.raises(TimeoutError):  # long enough for several tries
                await asyncio.wait_for(second.held.wait(), 0.35)
            assert second.waits == 1
        await second.held.wait()
        second.release.set()
        await second.task

    assert second.waits == 1


async def test_of_many_one_holds_the_lock_at_a_time(path: Path) -> None:
    holding, most = 0, 0

    async def work() -> None:
        nonlocal holding, most
        async with node_lock(path):
            holding += 1
            most = max(most, holding)
            await asyncio.sleep(0)
            holding -= 1

    async with asyncio.timeout(5):
        await asyncio.gather(*(work() for _ in range(5)))

    assert (holding, most) == (0, 1)


async def test_failure_inside_frees_the_lock(path: Path) -> None:
    async with asyncio.timeout(5):
        with pytest.raises(ZeroDivisionError):
            async with node_lock(path):
                raise ZeroDivisionError
        async with node_lock(path):
            pass


async def test_waiter_that_gives_up_leaves_nothing_behind(path: Path) -> None:
    async with asyncio.timeout(5):
        async with node_lock(path):
            waiter = Waiter(path)
            await waiter.waiting.wait()
            waiter.task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiter.task
        async with node_lock(path):
            pass


async def test_lock_of_another_process_counts_until_it_is_killed(
    path: Path, holder: asyncio.subprocess.Process
) -> None:
    waiter = Waiter(path)
    async with asyncio.timeout(5):
        await waiter.waiting.wait()
        assert not waiter.held.is_set()
        os.kill(holder.pid, signal.SIGKILL)
        await waiter.held.wait()
        waiter.release.set()
        await waiter.task

    assert await holder.wait() == -signal.SIGKILL


async def test_program_that_a_job_starts_has_no_part_in_the_lock(path: Path) -> None:
    """A gateway outlives its job; it must not keep the next one out."""
    async with node_lock(path):
        program = await asyncio.to_thread(subprocess.Popen, ["sleep", "60"], start_new_session=True)
    try:
        async with asyncio.timeout(5), node_lock(path):
            assert program.poll() is None
    finally:
        program.kill()
        await asyncio.to_thread(program.wait)
