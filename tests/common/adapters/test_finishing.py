"""Work in a thread goes on when its waiter is cancelled; so the waiter stays with it."""

import asyncio
import threading

import pytest

from buddy_common.adapters.finishing import for_a_while, to_its_end


async def test_result_and_failure_are_handed_on() -> None:
    assert await to_its_end(asyncio.to_thread(int, "7")) == 7
    with pytest.raises(ValueError, match="invalid literal"):
        await to_its_end(asyncio.to_thread(int, "x"))


async def test_who_is_cancelled_stays_until_the_thread_is_done() -> None:
    go_on, began, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        go_on.wait(5)
        done.set()

    waiting = asyncio.create_task(to_its_end(asyncio.to_thread(work)))
    await asyncio.to_thread(began.wait, 5)
    for _ in range(3):  # however often
        waiting.cancel()
        await asyncio.sleep(0)
    assert not waiting.done()

    go_on.set()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert done.is_set()


async def test_what_ends_while_its_waiter_is_cancelled_has_ended_before_that_is_told() -> None:
    go_on, done = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await go_on.wait()
        done.set()

    waiting = asyncio.create_task(for_a_while(work(), seconds=lambda: 60))
    for _ in range(3):
        await asyncio.sleep(0)
        waiting.cancel()
    assert not waiting.done()

    go_on.set()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert done.is_set()


async def test_what_does_not_end_in_time_is_cancelled_with_its_waiter() -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    waiting = asyncio.create_task(for_a_while(work(), seconds=lambda: 0.01))
    await begun.wait()
    waiting.cancel()

    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert cancelled.is_set()


async def test_result_and_failure_of_what_is_given_a_while_are_handed_on() -> None:
    assert await for_a_while(asyncio.to_thread(int, "7"), seconds=lambda: 0) == 7
    with pytest.raises(ValueError, match="invalid literal"):
        await for_a_while(asyncio.to_thread(int, "x"), seconds=lambda: 0)
