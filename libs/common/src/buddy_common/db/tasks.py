"""The task table: the truth about every job. Nothing here commits; the caller's unit of work does."""

import secrets
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, and_, func, or_, update
from sqlmodel import Session, col, select

from buddy_common.db.tables import TaskOutputRow, TaskRow
from buddy_common.schemas.jobs import Job
from buddy_common.schemas.tasks import TaskStatus, TaskView

OUTPUT_TAIL_LINES = 200
LISTED_TAIL_LINES = 20  # a list is for an overview


def new_task_id() -> str:
    """Return a unique id that starts like the guide's `task-1774656000`."""
    return f"task-{int(time.time())}-{secrets.token_hex(6)}"


def add(session: Session, job: Job, *, node: str, actor: str) -> TaskRow:
    """Write the row of a new job, Queued."""
    row = TaskRow(
        id=new_task_id(),
        kind=job.task,
        name=job.title,
        module=job.module,
        action=job.action,
        target=job.target,
        node=node,
        lane=job.lane,
        actor=actor,
        payload=job.model_dump(mode="json"),
        status=TaskStatus.QUEUED,
        queued_at=datetime.now(UTC),
    )
    session.add(row)
    session.flush()
    return row


def claim(session: Session, task_id: str, *, owner: str) -> TaskRow | None:
    """Take a Queued task for `owner` (compare-and-swap), or return None: it is somebody else's."""
    statement = (
        update(TaskRow)
        .where(col(TaskRow.id) == task_id, col(TaskRow.status) == TaskStatus.QUEUED)
        .values(
            status=TaskStatus.RUNNING,
            owner=owner,
            epoch=col(TaskRow.epoch) + 1,
            started_at=datetime.now(UTC),
        )
    )
    if _changed(session, statement) == 0:
        return None
    return session.exec(select(TaskRow).where(TaskRow.id == task_id)).one()


def report(session: Session, task_id: str, *, epoch: int, **fields: Any) -> bool:
    """Update stage, progress or command of a claimed task; False when the claim is not ours any more."""
    statement = (
        update(TaskRow)
        .where(
            col(TaskRow.id) == task_id,
            col(TaskRow.epoch) == epoch,
            col(TaskRow.status) == TaskStatus.RUNNING,
        )
        .values(**fields)
    )
    return _changed(session, statement) == 1


def finish(
    session: Session,
    task_id: str,
    *,
    epoch: int,
    status: TaskStatus,
    result: dict[str, Any] | None = None,
    error: str | None = None,
    error_code: str | None = None,
) -> bool:
    """Record the outcome of a claimed task; False when the claim is not ours any more."""
    values: dict[str, Any] = {
        "status": status,
        "result": result,
        "error": error,
        "error_code": error_code,
        "ended_at": datetime.now(UTC),
    }
    if status is TaskStatus.COMPLETED:
        values["progress"] = 100
    return report(session, task_id, epoch=epoch, **values)


def fail_unpublished(session: Session, task_id: str, *, error: str, error_code: str) -> bool:
    """End a task whose message was never sent; False when a worker has it all the same."""
    now = datetime.now(UTC)
    statement = (
        update(TaskRow)
        .where(col(TaskRow.id) == task_id, col(TaskRow.status) == TaskStatus.QUEUED)
        .values(status=TaskStatus.FAILED, error=error, error_code=error_code, ended_at=now)
    )
    return _changed(session, statement) == 1


def _changed(session: Session, statement: Any) -> int:
    result = session.execute(statement)
    if not isinstance(result, CursorResult):
        raise TypeError("an UPDATE gave no cursor")
    return int(result.rowcount)


def add_output(session: Session, task_id: str, *, first_seq: int, lines: Iterable[str]) -> None:
    """Append lines to a task's output."""
    now = datetime.now(UTC)
    for offset, line in enumerate(lines):
        session.add(TaskOutputRow(task_id=task_id, seq=first_seq + offset, at=now, line=line))


def view(session: Session, task_id: str) -> TaskView | None:
    """Return one task with the tail of its output."""
    row = session.get(TaskRow, task_id)
    return None if row is None else _view(row, _tail(session, task_id, OUTPUT_TAIL_LINES))


def listing(
    session: Session,
    *,
    node: str,
    status: TaskStatus | None = None,
    module: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[TaskView]:
    """Return a node's tasks, newest first; `before` is the id of the last one seen."""
    conditions: list[ColumnElement[bool]] = [col(TaskRow.node) == node]
    if status is not None:
        conditions.append(col(TaskRow.status) == status)
    if module is not None:
        conditions.append(col(TaskRow.module) == module)
    if before is not None:
        conditions.append(_older_than(session, before))
    rows = session.exec(
        select(TaskRow)
        .where(*conditions)
        .order_by(col(TaskRow.queued_at).desc(), col(TaskRow.id).desc())
        .limit(limit)
    ).all()
    return [_view(row, _tail(session, row.id, LISTED_TAIL_LINES)) for row in rows]


def _older_than(session: Session, task_id: str) -> ColumnElement[bool]:
    anchor = session.get(TaskRow, task_id)
    if anchor is None:
        return col(TaskRow.id).is_(None)  # nothing is older than a task that never was
    return or_(
        col(TaskRow.queued_at) < anchor.queued_at,
        and_(col(TaskRow.queued_at) == anchor.queued_at, col(TaskRow.id) < anchor.id),
    )


def count_by_status(session: Session) -> dict[tuple[str, str], int]:
    """Return how many tasks each (node, status) has."""
    rows = session.exec(
        select(TaskRow.node, TaskRow.status, func.count()).group_by(TaskRow.node, TaskRow.status)
    ).all()
    return {(node, status): count for node, status, count in rows}


def _tail(session: Session, task_id: str, lines: int) -> list[str]:
    """Return the last lines of a task, oldest first."""
    newest_first = session.exec(
        select(TaskOutputRow.line)
        .where(TaskOutputRow.task_id == task_id)
        .order_by(col(TaskOutputRow.seq).desc())
        .limit(lines)
    ).all()
    return list(reversed(newest_first))


def _view(row: TaskRow, output: list[str]) -> TaskView:
    return TaskView(
        id=row.id,
        taskID=row.id,
        name=row.name,
        module=row.module,
        action=row.action,
        target=row.target,
        node=row.node,
        actor=row.actor,
        status=TaskStatus(row.status),
        stage=row.stage,
        progress=row.progress,
        command=row.command,
        result=row.result,
        error=row.error,
        errorCode=row.error_code,
        output=output,
        queuedAt=row.queued_at,
        startTime=row.started_at,
        endTime=row.ended_at,
    )
