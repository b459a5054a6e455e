"""Coroutines that are run at once, as far as they get without waiting: a task for each would cost more.

They begin in no task, or in another than the one in which they go on. So this holds only while what is run
(uvicorn's `send`, and what goes before it) uses neither `asyncio.timeout` nor `asyncio.current_task`.
"""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any

from buddy_common.errors import ClientTooSlowError

# a client that takes nothing for so long; until then the gateway waits for it
TAKE_SECONDS = 120.0


def begin(work: Coroutine[Any, Any, None]) -> "Rest | None":
    """Run `work` until it waits, and return what is left of it; None where nothing is."""
    try:
        waits_for = work.send(None)
    except StopIteration:
        return None
    return Rest(work, waits_for)


class Rest:
    """A coroutine that has begun and waits; it goes on in the task that awaits this."""

    def __init__(self, work: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._work = work
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        """Do the rest."""
        waits_for = self._waits_for
        while True:
            failure: BaseException | None = None
            value = None
            try:
                value = yield waits_for
            except BaseException as exc:  # noqa: BLE001 - whatever it is, it is for the coroutine
                failure = exc
            try:
                waits_for = self._work.send(value) if failure is None else self._work.throw(failure)
            except StopIteration:
                return


async def in_time(rest: Rest) -> None:
    """Do the rest of what waits for a client.

    Raises:
        ClientTooSlowError: the client takes nothing.
    """
    try:
        async with asyncio.timeout(TAKE_SECONDS) as deadline:
            await rest
    except TimeoutError as exc:
        if deadline.expired():
            raise ClientTooSlowError(TAKE_SECONDS) from exc
        raise


async def sent(work: Coroutine[Any, Any, None]) -> None:
    """Send something; a deadline is made only where it must wait for its client.

    Raises:
        ClientTooSlowError: the client takes nothing.
    """
    rest = begin(work)
    if rest is not None:
        await in_time(rest)
