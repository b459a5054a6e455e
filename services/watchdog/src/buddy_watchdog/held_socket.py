"""The watchdog's own connection to the gateway: a death closes it, a hang leaves a ping unanswered."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import structlog

from buddy_common.adapters.gateway_device import GatewayDevice
from buddy_common.adapters.gateway_link import GatewayLink
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.errors import BuddyError, GatewayRpcError, GatewayUnreachableError
from buddy_common.usecases.gateway_place import gateway_place
from buddy_watchdog.evidence import SocketLook, seconds_after_boot

log = structlog.get_logger(__name__)

PING_SECONDS = 5.0
PONG_SECONDS = 3.0
_PING = "health"  # needs no scope, on both generations


class HeldSocket:
    """Keeps the connection, pings it, and calls `on_news` when something is the matter with it."""

    def __init__(
        self, host: HostPlane, config: Callable[[], dict[str, Any]], *, on_news: Callable[[], None]
    ) -> None:
        self._host = host
        self._config = config
        self._on_news = on_news
        self._link = GatewayLink(self._where, on_event=self._on_event, on_change=self._on_change)
        self._round_trip_ms: float | None = None
        self._silent = False
        self._answered_at: float | None = None
        self._said_restart = False

    @property
    def look(self) -> SocketLook:
        """How it is with the connection now."""
        connected = self._link.hello is not None
        return SocketLook(
            connected=connected,
            round_trip_ms=self._round_trip_ms if connected else None,
            answered_at=self._answered_at if connected else None,
            said_restart=self._said_restart,
        )

    async def run_forever(self) -> None:
        """Hold it until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._link.run_forever())
            group.create_task(self._ping_forever())

    async def config_answer(self) -> dict[str, Any] | None:
        """Return what the gateway says of its config, None where it cannot be asked."""
        try:
            answer = await self._link.call("config.get", {}, seconds=PONG_SECONDS)
        except BuddyError:
            return None
        return answer if isinstance(answer, dict) else None

    async def _where(self) -> tuple[int, str | None, GatewayDevice]:
        return await gateway_place(self._host, self._config())

    async def _ping_forever(self) -> None:
        while True:
            await asyncio.sleep(PING_SECONDS)
            await self._ping()

    async def _ping(self) -> None:
        began = time.monotonic()
        try:
            await self._link.call(_PING, {}, seconds=PONG_SECONDS)
        except GatewayRpcError as exc:
            if exc.code == "UNKNOWN_METHOD":  # nobody was asked
                return
        except GatewayUnreachableError:
            if self._link.hello is not None and not self._silent:
                self._silent = True
                log.warning("gateway_silent", seconds=PONG_SECONDS)
                self._on_news()
            return
        except BuddyError:  # no connection, and the link says why
            return
        self._silent = False
        self._answered_at = seconds_after_boot()
        self._round_trip_ms = round((time.monotonic() - began) * 1000, 1)

    def _on_event(self, name: str, payload: dict[str, Any]) -> None:
        if name == "shutdown":
            self._said_restart = "restart" in str(payload.get("reason", ""))
            self._on_news()
        elif name == "config.changed":
            self._on_news()

    def _on_change(self) -> None:
        if self._link.hello is not None:
            self._said_restart = False
        self._silent = False
        self._on_news()
