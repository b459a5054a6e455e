"""Waiting for what has no event of its own."""

import asyncio
from collections.abc import Awaitable, Callable


async def until(check: Callable[[], Awaitable[bool]], *, seconds: float = 5) -> None:
    """Return as soon as `check` says so.

    Raises:
        TimeoutError: it did not within `seconds`.
    """
    async with asyncio.timeout(seconds):
        while not await check():  # noqa: ASYNC110 - a broker or a process tells nobody
            await asyncio.sleep(0.01)
