"""The watchdog's place in the line: jobs that follow each other must not keep a repair out for ever."""

import asyncio

import structlog

from buddy_common.adapters.node_locks import HeldLocks, NodeLocks
from buddy_common.errors import StateUnwritableError
from buddy_common.schemas.job import NodeLock
from buddy_watchdog.evidence import Evidence

log = structlog.get_logger(__name__)

# in a restart the gateway is gone for a moment; a job whose gateway is gone for longer does not bring it back
GONE_SECONDS = 10.0


class Turn:
    """Holds a lock that jobs wait for, as long as the gateway is gone and a job is in the way of a repair."""

    def __init__(self, locks: NodeLocks) -> None:
        self._locks = locks
        self._gone_since: float | None = None
        self._held: HeldLocks | None = None

    async def consider(self, evidence: Evidence, *, may_repair: bool) -> None:
        """Take the place once a repair was kept out for a while; leave it when it is not wanted any more."""
        busy = evidence.lifecycle_busy or evidence.config_busy
        if not (may_repair and busy and evidence.process is None):
            self._gone_since = None
            self.leave()
            return
        if self._gone_since is None:
            self._gone_since = evidence.at
        if self._held is None and evidence.at - self._gone_since >= GONE_SECONDS:
            await self._take()

    def leave(self) -> None:
        """Let jobs begin again."""
        if self._held is not None:
            self._held.release()
            self._held = None

    async def _take(self) -> None:
        try:
            self._held = await asyncio.to_thread(self._locks.try_hold, {NodeLock.REPAIR})
        except StateUnwritableError as exc:
            log.warning("turn_not_taken", reason=exc.message)
            return
        if self._held is not None:
            log.info("turn_taken", gone_seconds=GONE_SECONDS)
