"""Tasks of a worker's node: written as the api writes them, looked at as clients look at them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from buddy_common.adapters.broker_queue import queued_task_ids
from buddy_common.adapters.node_locks import HeldLocks
from buddy_common.db import events, tasks
from buddy_common.db.tables import TaskRow
from buddy_common.schemas.events import EventStatus
from buddy_common.schemas.gateway_jobs import RestartGatewayJob
from buddy_common.schemas.job import Job, Lane, NodeLock, queue_name
from buddy_common.schemas.tasks import TaskView
from buddy_worker.wiring import Wiring


class Done(BaseModel):
    """A result."""

    answer: int = 42


async def queue(w: Wiring, job: Job | None = None, **changes: Any) -> str:
    """Write the row of a job, as if its message were about to be sent; `changes` are to its columns."""
    asked = job or RestartGatewayJob()

    def record(session: Session) -> str:
        row = tasks.add(session, asked, node="local", actor="admin")
        for name, value in changes.items():
            setattr(row, name, value)
        events.add(
            session,
            actor="admin",
            action=f"{asked.action}_{asked.module}",
            status=EventStatus.PENDING,
            task_id=row.id,
            node="local",
        )
        return row.id

    return await w.database.run(record)


async def view(w: Wiring, task_id: str) -> TaskView:
    found = await w.database.run(lambda session: tasks.view(session, task_id))
    assert found is not None
    return found


async def row(w: Wiring, task_id: str) -> TaskRow:
    found = await w.database.run(lambda session: session.get(TaskRow, task_id))
    assert found is not None
    return found


async def sent(w: Wiring, lane: Lane = Lane.FAST) -> frozenset[str]:
    """Return the tasks whose messages lie in the broker."""
    return await queued_task_ids(w.redis, queue_name("local", lane))


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


async def is_free(w: Wiring, *names: NodeLock) -> bool:
    return await asyncio.to_thread(w.host.locks.are_free, names)


async def hold(w: Wiring, *names: NodeLock) -> HeldLocks:
    """Hold locks as another process of the node would."""
    held = await asyncio.to_thread(w.host.locks.try_hold, names)
    assert held is not None
    return held
