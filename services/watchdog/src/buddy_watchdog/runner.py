"""The watchdog's loop: look, publish, and look again at once when the gateway's process ends."""

import asyncio
import time

import structlog

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.errors import BrokerUnavailableError, StateUnwritableError
from buddy_common.schemas.gateway import GatewaySnapshot, GatewayState
from buddy_common.schemas.job import NodeLock
from buddy_common.usecases.observe_gateway import observe_gateway
from buddy_common.usecases.publish_node import publish_gateway, publish_system
from buddy_watchdog.process_end import wait_for_end

log = structlog.get_logger(__name__)

DOUBT_SECONDS = 1.0
# a look may take its probe's 5 s and a slow disk; more than this and the loop is stuck
STUCK_SECONDS = 60.0
_SETTLED = (GatewayState.RUNNING, GatewayState.STOPPED)


class Runner:
    """Looks at one gateway for ever; a broker that is gone is a log line, never the end."""

    def __init__(self, host: HostPlane, *, interval_seconds: float) -> None:
        self._host = host
        self._interval = interval_seconds
        self._looked_at = time.monotonic()

    @property
    def is_alive(self) -> bool:
        """Whether the loop has come round lately."""
        return time.monotonic() - self._looked_at < self._interval + STUCK_SECONDS

    async def run_forever(self) -> None:
        """Look every interval, every second while the gateway is in doubt, at once when it dies."""
        while True:
            try:
                snapshot = await self._look()
            except Exception:  # the outermost loop: a watchdog that dies of a bug helps nobody
                log.exception("look_failed")
                snapshot = None
            self._looked_at = time.monotonic()
            await self._pause(snapshot)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._host.close()

    async def _look(self) -> GatewaySnapshot:
        host = self._host
        busy = await asyncio.to_thread(self._is_busy)
        snapshot = await observe_gateway(
            host.gateway, host.state, node=host.node, system=host.system, busy=busy
        )
        fresh = host.fresh_seconds
        try:
            await publish_gateway(host.read_model, snapshot, host.openclaw, fresh_seconds=fresh)
            await publish_system(host.read_model, snapshot, host.system, fresh_seconds=fresh)
        except BrokerUnavailableError as exc:  # the watching goes on without it
            log.warning("read_model_unavailable", reason=exc.message)
        return snapshot

    def _is_busy(self) -> bool:
        """Whether a job starts, stops or replaces the gateway: it holds the lock that is for that."""
        try:
            return not self._host.locks.are_free({NodeLock.LIFECYCLE})
        except StateUnwritableError as exc:  # then no job can hold it either
            log.warning("locks_unusable", reason=exc.message)
            return False

    async def _pause(self, snapshot: GatewaySnapshot | None) -> None:
        settled = snapshot is not None and snapshot.state in _SETTLED
        seconds = self._interval if settled else min(self._interval, DOUBT_SECONDS)
        pid = snapshot.pid if snapshot is not None else None
        if pid is None:
            await asyncio.sleep(seconds)
        elif await wait_for_end(pid, seconds=seconds):
            log.warning("gateway_ended", pid=pid)
