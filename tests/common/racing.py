"""Threads that set off together."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def race(count: int, work: Callable[[], Result]) -> list[Result]:
    """Call `work` in `count` threads at the same moment and return what each of them got."""
    start = threading.Barrier(count)

    def run() -> Result:
        start.wait(timeout=5)
        return work()

    with ThreadPoolExecutor(count) as pool:
        return [future.result(timeout=9) for future in [pool.submit(run) for _ in range(count)]]
