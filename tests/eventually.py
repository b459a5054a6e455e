"""Waiting for what another process does: looks again and again, inside a bound."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

_Value = TypeVar("_Value")


async def eventually(
    look: Callable[[], Awaitable[_Value]],
    good: Callable[[_Value], bool],
    *,
    seconds: float = 5,
) -> _Value:
    """Return the first value that is good; TimeoutError when none was in time."""
    async with asyncio.timeout(seconds):
        while True:
            value = await look()
            if good(value):
                return value
            await asyncio.sleep(0.02)


def wait_until(look: Callable[[], _Value], good: Callable[[_Value], bool], *, seconds: float = 5) -> _Value:
    """Return the first value that is good, outside of an event loop."""
    deadline = time.monotonic() + seconds
    while not good(value := look()):
        assert time.monotonic() < deadline, value
        time.sleep(0.02)
    return value
