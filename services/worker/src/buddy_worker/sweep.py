"""What a worker does every second so that no task is forgotten, whoever died in between."""

import asyncio
from datetime import timedelta

import structlog
from sqlmodel import Session

from buddy_common.db import events, task_claims
from buddy_common.errors import JobInterruptedError, TransientError
from buddy_common.schemas.events import EventStatus
from buddy_common.schemas.tasks import TaskStatus
from buddy_worker import runner
from buddy_worker.reap import Reaper
from buddy_worker.wake import resend_lost, wake_waiting
from buddy_worker.wiring import Wiring

log = structlog.get_logger(__name__)

SWEEP_SECONDS = 1.0
# nobody wants today the restart that they asked for last week
QUEUED_FOR_MOST = timedelta(days=1)


class Sweeper:
    """Cancels, reaps, wakes and sends anew. Several workers of a node may sweep at once."""

    def __init__(self, wiring: Wiring) -> None:
        self._w = wiring
        self._reaper = Reaper(wiring)
        self._reaping: asyncio.Task[None] | None = None

    async def sweep_forever(self) -> None:
        """Sweep every second; what cannot be reached now is tried again at the next one."""
        while True:
            try:
                await self.sweep()
            except TransientError as exc:
                log.warning("sweep_failed", reason=exc.message)
            except Exception:  # the outermost loop: without it, nothing that is lost is ever found
                log.exception("sweep_crashed")
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Do it once.

        Raises:
            TransientError: database or broker cannot be reached.
        """
        w = self._w
        for task_id in await w.database.run(lambda s: task_claims.to_cancel(s, owner=str(w.owner))):
            runner.cancel(task_id)
        await w.database.run(lambda session: _give_up_old(session, w.node))
        await wake_waiting(w)
        await resend_lost(w)
        self._reap()

    def _reap(self) -> None:
        """Reap beside the next sweeps: to end what a dead worker had started takes seconds."""
        if self._reaping is not None and not self._reaping.done():
            return
        if self._reaping is not None and (failure := self._reaping.exception()) is not None:
            log.warning("reaping_failed", reason=repr(failure))
        self._reaping = asyncio.create_task(self._reaper.reap())


def _give_up_old(session: Session, node: str) -> None:
    """End what nobody has run for a day."""
    error = JobInterruptedError("Nobody ran this job within a day.")
    for row in task_claims.queued_before(session, node, age=QUEUED_FOR_MOST):
        ended = task_claims.end_queued(
            session, row.id, status=TaskStatus.INTERRUPTED, error=error.message, error_code=error.error
        )
        if ended:
            events.close(session, row.id, status=EventStatus.FAILED, detail=error.message)
