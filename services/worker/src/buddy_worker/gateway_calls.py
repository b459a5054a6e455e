"""A connection to this host's gateway for one job; the reader holds another one of its own."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from buddy_common.adapters.gateway_rpc import CALL_SECONDS, GatewayConnection, open_gateway
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.openclaw_config import Config
from buddy_common.usecases.gateway_place import gateway_place


class GatewayCall:
    """An open connection; `closed` is set when the gateway ends it, as it does before it restarts."""

    def __init__(self, connection: GatewayConnection) -> None:
        self._connection = connection
        self.closed = asyncio.Event()

    def has(self, method: str) -> bool:
        """Whether this gateway knows the method."""
        return method in self._connection.hello.methods

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, *, seconds: float = CALL_SECONDS
    ) -> Any:
        """Return what the gateway answers.

        Raises:
            GatewayRpcError: the gateway refused; `code` is its own.
            GatewayUnreachableError: no answer before the deadline, or the connection is gone.
        """
        return await self._connection.call(method, params, seconds=seconds)

    async def listen(self) -> None:
        """Take in answers until the connection ends."""
        try:
            await self._connection.listen()
        finally:
            self.closed.set()


@asynccontextmanager
async def call_gateway(host: HostPlane, config: Config) -> AsyncIterator[GatewayCall]:
    """Connect to the gateway, and close with the block.

    Raises:
        GatewayUnreachableError: it cannot be reached, or is still starting.
        GatewayRefusedError: it does not let us in.
    """
    port, token, device = await gateway_place(host, config)
    async with open_gateway(port, token=token, device=device, on_event=lambda *_: None) as connection:
        call = GatewayCall(connection)
        listening = asyncio.create_task(call.listen())
        try:
            yield call
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
