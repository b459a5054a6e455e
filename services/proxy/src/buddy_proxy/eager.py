"""Coroutines that are run at once, as far as they get without waiting: a task for each would cost more."""

from collections.abc import Coroutine, Generator
from typing import Any


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
