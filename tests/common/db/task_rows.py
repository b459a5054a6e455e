"""Rows of tasks, and what a worker does with them."""

from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, select

from buddy_common.db import task_claims, tasks
from buddy_common.db.engine import Database
from buddy_common.db.tables import TaskRow
from buddy_common.schemas.gateway_jobs import RestartGatewayJob
from buddy_common.schemas.job import Job
from buddy_common.schemas.jobs import job_kind
from buddy_common.schemas.tasks import TaskStatus, TaskView


def add_task(
    database: Database,
    job: Job | None = None,
    *,
    node: str = "local",
    age: timedelta = timedelta(),
    **more: Any,
) -> str:
    """Add a task; `age` moves back when it was queued and when its message was sent."""

    def work(session: Session) -> str:
        row = tasks.add(session, job or RestartGatewayJob(), node=node, actor="admin", **more)
        row.queued_at -= age
        row.message_at = row.queued_at
        return row.id

    return database.call(work)


def row_of(database: Database, task_id: str) -> TaskRow:
    return database.call(lambda session: session.exec(select(TaskRow).where(TaskRow.id == task_id)).one())


def change(database: Database, task_id: str, **columns: Any) -> None:
    """Set columns, whatever the rules say."""

    def work(session: Session) -> None:
        row = session.exec(select(TaskRow).where(TaskRow.id == task_id)).one()
        for name, value in columns.items():
            setattr(row, name, value)

    database.call(work)


def view(database: Database, task_id: str) -> TaskView:
    found = database.call(lambda session: tasks.view(session, task_id))
    assert found is not None
    return found


def claim(database: Database, task_id: str, owner: str = "worker-1") -> int | None:
    """Return the epoch of the claim, None when somebody else has the task, or an older one comes first."""
    found = database.call(lambda session: session.get(TaskRow, task_id))
    kind = RestartGatewayJob if found is None else job_kind(found.kind)
    assert kind is not None

    def work(session: Session) -> int | None:
        row = task_claims.claim(session, task_id, kind, owner=owner)
        return None if row is None else row.epoch

    return database.call(work)


def finish(database: Database, task_id: str, **outcome: Any) -> bool:
    return database.call(lambda session: task_claims.finish(session, task_id, **outcome))


def bring_to(database: Database, task_id: str, status: TaskStatus) -> None:
    """Let a Queued task come to this status."""
    if status is not TaskStatus.QUEUED:
        assert claim(database, task_id) == 1
    if status.is_final:
        assert finish(database, task_id, epoch=1, status=status)


def sent_at(database: Database, task_id: str) -> datetime | None:
    return row_of(database, task_id).message_at
