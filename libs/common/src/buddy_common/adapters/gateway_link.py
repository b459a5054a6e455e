"""The held connection to this host's gateway: made again whenever it breaks, for as long as we live."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from buddy_common.adapters.gateway_device import GatewayDevice
from buddy_common.adapters.gateway_rpc import CALL_SECONDS, GatewayConnection, Hello, OnEvent, open_gateway
from buddy_common.errors import BuddyError, GatewayRefusedError, GatewayRpcError, GatewayUnreachableError

log = structlog.get_logger(__name__)

FIRST_PAUSE_SECONDS = 0.25
# a look at the port costs 8 ms; a new gateway listens for seconds before it takes connections
LONGEST_PAUSE_SECONDS = 2.0
# a token that is wrong stays wrong until somebody changes it; each attempt leaves a line in the gateway's log
REFUSED_PAUSE_SECONDS = 15.0
STEADY_SECONDS = 5.0

Where = Callable[[], Awaitable[tuple[int, str | None, GatewayDevice]]]
OnChange = Callable[[], None]


class GatewayLink:
    """Calls to the gateway while there is a connection, and the news when there is one or none any more."""

    def __init__(self, where: Where, *, on_event: OnEvent, on_change: OnChange) -> None:
        """`where` returns port, token and device of the moment; `on_change` is called on up and on down."""
        self._where = where
        self._on_event = on_event
        self._on_change = on_change
        self._connection: GatewayConnection | None = None
        self.problem: BuddyError = GatewayUnreachableError("Not connected to the gateway yet.")

    @property
    def hello(self) -> Hello | None:
        """What the gateway that is connected said of itself, None while there is no connection."""
        return None if self._connection is None else self._connection.hello

    def has(self, method: str) -> bool:
        """Whether the gateway that is connected knows this method."""
        return self.hello is not None and method in self.hello.methods

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, *, seconds: float = CALL_SECONDS
    ) -> Any:
        """Return what the gateway answers.

        Raises:
            GatewayRpcError: the gateway refused; `code` is its own.
            GatewayRefusedError: it does not let us in; the message says why.
            GatewayUnreachableError: there is no connection, or no answer before the deadline.
        """
        if self._connection is None:
            raise self.problem
        if not self.has(method):
            raise GatewayRpcError(
                method, code="UNKNOWN_METHOD", reason="this OpenClaw does not know the method"
            )
        return await self._connection.call(method, params, seconds=seconds)

    async def run_forever(self) -> None:
        """Keep the connection until cancelled."""
        failures = 0
        while True:
            began = time.monotonic()
            try:
                await self._hold()
                # one that greets and hangs up again is no better than one that does not answer
                failures = 0 if time.monotonic() - began > STEADY_SECONDS else failures + 1
            except GatewayUnreachableError as exc:
                self.problem = exc
                failures = 0 if exc.detail.get("starting") else failures + 1  # it will be ready any moment
            except BuddyError as exc:  # the token, the key file: a person has to look
                if exc.message != self.problem.message:
                    log.warning("gateway_refuses_us", error=exc.error, reason=exc.message)
                self.problem = exc
                failures += 1
            except Exception:  # a process table or a file that cannot be read now must not end the link
                log.exception("gateway_link_failed")
                failures += 1
            await asyncio.sleep(_pause(failures, refused=isinstance(self.problem, GatewayRefusedError)))

    async def _hold(self) -> None:
        port, token, device = await self._where()
        async with open_gateway(port, token=token, device=device, on_event=self._on_event) as connection:
            self._connection = connection
            log.info("gateway_connected", port=port, version=connection.hello.version)
            self._on_change()
            try:
                await connection.listen()
            finally:
                self._connection = None
                self.problem = GatewayUnreachableError("The gateway closed the connection.")
                log.info("gateway_connection_closed", said=(connection.shutdown or {}).get("reason"))
                self._on_change()


def _pause(failures: int, *, refused: bool) -> float:
    """Return how long to wait before the next attempt, with jitter, in seconds."""
    longest = REFUSED_PAUSE_SECONDS if refused else LONGEST_PAUSE_SECONDS
    return min(longest, FIRST_PAUSE_SECONDS * 2.0 ** min(failures, 10)) * random.uniform(0.8, 1.0)
