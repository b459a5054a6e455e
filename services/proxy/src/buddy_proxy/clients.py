"""How many connections each client has open, and that nobody has too many."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from buddy_common.errors import TooManyConnectionsError


class Clients:
    """Counts open requests, streams and sockets by address."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._open: Counter[str] = Counter()

    @contextmanager
    def enter(self, address: str | None) -> Iterator[None]:
        """Count one more while the block runs.

        Raises:
            TooManyConnectionsError: the address has as many as it may have.
        """
        name = address or "unknown"
        if self._open[name] >= self._limit:
            raise TooManyConnectionsError(self._limit)
        self._open[name] += 1
        try:
            yield
        finally:
            self._open[name] -= 1
            if not self._open[name]:
                del self._open[name]
