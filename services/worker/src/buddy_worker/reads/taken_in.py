"""Whether the gateway goes by what `openclaw.json` says now: until then it answers as before the edit."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from buddy_common.adapters.config_watch import WatchedConfig


class EditsTakenIn:
    """The edits of one config that its gateway may not have taken in yet."""

    def __init__(self, config: WatchedConfig, *, seconds: Callable[[], float]) -> None:
        """`seconds`: how long a gateway like that of the moment may take, if it says nothing; 0 for none."""
        self._config = config
        self._seconds = seconds
        self._seen = config.config
        self._until = 0.0  # monotonic
        self._told = asyncio.Event()

    @property
    def are_awaited(self) -> bool:
        """Whether there is an edit that the gateway may not have taken in yet."""
        now, config = time.monotonic(), self._config.config
        if config is not self._seen:  # it was read again since
            if config != self._seen:
                self._until = now + self._seconds()
                self._told.clear()
            self._seen = config
        return now < self._until

    def tell(self) -> None:
        """Say that the gateway has all that was read of the config by now."""
        self._seen = self._config.config
        self._until = 0.0
        self._told.set()

    async def wait(self) -> None:
        """Wait until no edit is awaited any more: the gateway has it, or has had its time."""
        while self.are_awaited:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._until - time.monotonic()):
                    await self._told.wait()
