"""A held connection as a test follows it."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from buddy_common.adapters.gateway_device import GatewayDevice
from buddy_common.adapters.gateway_link import GatewayLink
from buddy_common.adapters.gateway_rpc import Hello
from buddy_common.errors import BuddyError
from fakes.gateway import TOKEN

SECONDS = 5.0
DEVICE = GatewayDevice(Ed25519PrivateKey.generate())


class Follower:
    """A link and all that it told."""

    def __init__(self) -> None:
        self.port = 0
        self.token: str | None = TOKEN
        self.trouble: list[Exception] = []  # of the next attempts to find out where the gateway is
        self.attempts: asyncio.Queue[int] = asyncio.Queue()
        self.changes: asyncio.Queue[Hello | None] = asyncio.Queue()
        self.events: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        self.link = GatewayLink(self._where, on_event=self._take, on_change=self._note)
        self.task: asyncio.Task[None] | None = None

    async def _where(self) -> tuple[int, str | None, GatewayDevice]:
        self.attempts.put_nowait(self.attempts.qsize())
        if self.trouble:
            raise self.trouble.pop(0)
        return self.port, self.token, DEVICE

    def _take(self, name: str, payload: dict[str, Any]) -> None:
        self.events.put_nowait((name, payload))

    def _note(self) -> None:
        self.changes.put_nowait(self.link.hello)

    def follow(self, port: int) -> None:
        """Keep a connection to this port from now on."""
        self.port = port
        self.task = asyncio.create_task(self.link.run_forever())

    async def up(self) -> Hello:
        """Return what the gateway said when it was there."""
        async with asyncio.timeout(SECONDS):
            hello = await self.changes.get()
        assert hello is not None
        return hello

    async def down(self) -> None:
        """Return when there is no connection any more."""
        async with asyncio.timeout(SECONDS):
            assert await self.changes.get() is None

    async def attempt(self, count: int = 1) -> None:
        """Return when this many more attempts have begun."""
        async with asyncio.timeout(SECONDS):
            for _ in range(count):
                await self.attempts.get()

    async def end(self) -> None:
        if self.task is not None:
            self.task.cancel()
            with suppress(asyncio.CancelledError):
                await self.task


async def failure_of(call: Awaitable[Any]) -> BuddyError:
    with pytest.raises(BuddyError) as failure:
        async with asyncio.timeout(SECONDS):
            await call
    return failure.value
