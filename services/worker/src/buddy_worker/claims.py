"""Taking a task: its locks first, then its row. Who cannot have both leaves it Queued, and is free again."""

import asyncio
from dataclasses import dataclass

import structlog
from sqlmodel import Session

from buddy_common.adapters.node_locks import HeldLocks
from buddy_common.db import task_claims, tasks
from buddy_common.db.tables import TaskRow
from buddy_common.errors import BrokerUnavailableError, StateUnwritableError
from buddy_common.schemas.job import Job
from buddy_worker.wiring import Wiring

log = structlog.get_logger(__name__)


class JobWaitsError(Exception):
    """Another job holds what this one needs; whoever lets go of it sends the message anew."""


@dataclass(frozen=True)
class Claim:
    """A task that is ours, and the locks that go with it."""

    row: TaskRow
    locks: HeldLocks
    next_seq: int  # of its output; an earlier attempt has written some
    problem: StateUnwritableError | None = None  # why there are no locks; the task can only fail


async def take(w: Wiring, task_id: str, kind: type[Job]) -> Claim | None:
    """Claim a Queued task together with its locks; None when it is somebody else's or has ended.

    Raises:
        JobWaitsError: it stays Queued; no thread of ours waits with it.
    """
    # twice: a lock that was freed before the note "it waits" was written has woken nobody
    for _ in range(2):
        claim = await _try(w, task_id, kind)
        if claim is not None:
            return claim
        if not await w.database.run(lambda session: _defer(session, w.node, task_id, kind)):
            return None
        await _announce(w, task_id)
    raise JobWaitsError(task_id)


async def _try(w: Wiring, task_id: str, kind: type[Job]) -> Claim | None:
    problem = None
    try:
        locks = await asyncio.to_thread(w.host.locks.try_hold_for_job, kind.locks)
    except StateUnwritableError as exc:
        locks, problem = HeldLocks(()), exc
    if locks is None:
        return None
    row = None

    def claim(session: Session) -> tuple[TaskRow | None, int]:
        row = task_claims.claim(session, task_id, kind, owner=str(w.owner))
        return row, tasks.next_seq(session, task_id) if row is not None else 0

    try:
        row, next_seq = await w.database.run(claim)
    finally:
        if row is None:
            locks.release()
    return None if row is None else Claim(row, locks, next_seq, problem)


def _defer(session: Session, node: str, task_id: str, kind: type[Job]) -> bool:
    rival = task_claims.running_rival(session, node, kind)
    reason = f"waiting for: {rival}" if rival else f"waiting for the node's {_names(kind)} lock"
    return task_claims.defer(session, task_id, stage=reason)


def _names(kind: type[Job]) -> str:
    return " and ".join(sorted(kind.locks)) or "next free"


async def _announce(w: Wiring, task_id: str) -> None:
    """Wake who watches the task; the row has the news."""
    try:
        await w.stream.append(task_id, [{"status": "Queued"}])
    except BrokerUnavailableError as exc:
        log.warning("task_stream_unavailable", task_id=task_id, reason=exc.message)
