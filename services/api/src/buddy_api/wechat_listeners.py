"""How many requests of this process follow a WeChat login: each asks the broker several times a second."""

from collections.abc import Iterator
from contextlib import contextmanager

from buddy_common.errors import TooManyWechatListenersError

MAX_LISTENERS = 64  # people who look at one code


class WechatListeners:
    """Counts them."""

    def __init__(self, *, limit: int = MAX_LISTENERS) -> None:
        self._limit = limit
        self._open = 0

    def require_room(self) -> None:
        """Look before anything is started; who comes in at the same moment may come in, too.

        Raises:
            TooManyWechatListenersError: there are as many as there may be.
        """
        if self._open >= self._limit:
            raise TooManyWechatListenersError(self._limit)

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Count one more while the block runs."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
