"""Sending messages anew: of tasks that waited for a lock, and of tasks whose message was lost."""

import asyncio
from functools import partial

import structlog

from buddy_common.adapters.broker_queue import queued_task_ids
from buddy_common.db import task_claims
from buddy_common.db.tables import TaskRow
from buddy_common.errors import StateUnwritableError, TransientError
from buddy_common.schemas.job import Lane, NodeLock, queue_name
from buddy_common.schemas.jobs import ALL_JOBS
from buddy_worker.wiring import Wiring

log = structlog.get_logger(__name__)

# a message that is in no queue and was not claimed for this long will not come any more
LOST_SECONDS = 5.0

# the lines in which tasks wait: one lane, the same locks
_LINES: dict[tuple[Lane, frozenset[NodeLock]], list[str]] = {}
for _job in ALL_JOBS:
    _LINES.setdefault((_job.lane, _job.locks), []).append(_job.task)


async def wake_waiting(w: Wiring) -> None:
    """Send the message of the first in each line whose locks are free; else the next sweep does."""
    try:
        for (_, locks), kinds in _LINES.items():
            row = await w.database.run(
                partial(task_claims.first_waiting, node=w.node, kinds=kinds, in_turn=bool(locks))
            )
            if row is not None and await asyncio.to_thread(w.host.locks.are_free_for_job, locks):
                await _send_anew(w, row)
    except (TransientError, StateUnwritableError) as exc:
        log.warning("waiting_task_not_woken", reason=exc.message)


async def resend_lost(w: Wiring) -> None:
    """Send the messages anew that are in no queue, and whose tasks nobody has claimed.

    The api died between row and message, or the broker lost what it had.

    Raises:
        TransientError: database or broker cannot be reached; the next sweep tries again.
    """
    rows = await w.database.run(lambda session: task_claims.unclaimed(session, w.node, seconds=LOST_SECONDS))
    for lane in {Lane(row.lane) for row in rows}:
        there = await queued_task_ids(w.redis, queue_name(w.node, lane))
        for row in rows:
            if row.lane == lane and row.id not in there:
                log.warning("message_lost", task_id=row.id)
                await _send_anew(w, row)


async def _send_anew(w: Wiring, row: TaskRow) -> None:
    """Send one message, unless another process does so just now; a duplicate would do no harm."""
    if await w.database.run(lambda session: task_claims.take_message(session, row)):
        await w.sender.send(row.id, kind=row.kind, node=row.node, lane=Lane(row.lane))
