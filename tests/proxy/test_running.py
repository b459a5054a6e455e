"""Work ends with its client or with the process, and whoever cancels the task around it is still heard."""

import asyncio

import pytest

from buddy_proxy.running import End, Running


async def for_ever() -> None:
    await asyncio.Event().wait()


async def at_once() -> None:
    return


async def running_work(running: Running, **options: float) -> "asyncio.Task[End]":
    task = asyncio.create_task(running.until_left(for_ever(), for_ever, **options))
    await asyncio.sleep(0)
    assert len(running) == 1
    return task


async def test_work_that_is_done_at_once_asks_nobody() -> None:
    running = Running()
    asked = []

    async def left() -> None:
        asked.append(1)

    assert await running.until_left(at_once(), left, look_after=0.01) is End.DONE
    await asyncio.sleep(0.03)
    assert (asked, len(running)) == ([], 0)


@pytest.mark.parametrize("look_after", [0.0, 0.01])
async def test_a_client_that_leaves_ends_its_work_and_the_task_goes_on(look_after: float) -> None:
    running = Running()
    assert await running.until_left(for_ever(), at_once, look_after=look_after) is End.CLIENT_LEFT
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0.01)
    assert len(running) == 0


async def test_a_failure_of_the_work_is_the_callers() -> None:
    async def fail() -> None:
        raise ValueError("mine")

    running = Running()
    with pytest.raises(ValueError, match="mine"):
        await running.until_left(fail(), for_ever)
    assert len(running) == 0


async def test_a_stop_waits_for_work_and_then_ends_it() -> None:
    running = Running()
    task = await running_work(running)
    began = asyncio.get_running_loop().time()
    await running.drain(seconds=0.05)
    assert asyncio.get_running_loop().time() - began > 0.04
    assert await task is End.STOPPED


async def test_a_stop_is_over_as_soon_as_the_work_is() -> None:
    running, may_end = Running(), asyncio.Event()

    async def wait() -> None:
        await may_end.wait()

    task = asyncio.create_task(running.until_left(wait(), for_ever))
    await asyncio.sleep(0)
    drained = asyncio.create_task(running.drain(seconds=5))
    may_end.set()
    async with asyncio.timeout(1):
        await drained
    assert await task is End.DONE


@pytest.mark.parametrize("client_leaves", [True, False])
async def test_a_cancellation_from_outside_is_passed_on(*, client_leaves: bool) -> None:
    running, leave = Running(), asyncio.Event()

    async def left() -> None:
        await leave.wait()

    task = asyncio.create_task(running.until_left(for_ever(), left))
    await asyncio.sleep(0)
    if client_leaves:
        leave.set()
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(running) == 0


async def test_a_deadline_around_the_work_works() -> None:
    running = Running()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await running.until_left(for_ever(), for_ever)
