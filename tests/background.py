"""What goes on beside a test."""

import contextlib
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def repeated(look: Callable[[], None], *, every_seconds: float = 0.0) -> Iterator[None]:
    """Look again and again in a thread of its own, for as long as the block runs."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(every_seconds):
            look()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
