"""The task table: the truth about every job. Nothing here commits; the caller's unit of work does.

Who may run a task, and how it ends, is in `task_claims`.
"""

import hashlib
import json
import secrets
import time
from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, func, or_
from sqlmodel import Session, col, select

from buddy_common.db.tables import TaskOutputRow, TaskRow
from buddy_common.schemas.job import Job
from buddy_common.schemas.tasks import TaskStatus, TaskView

OUTPUT_TAIL_LINES = 200
LISTED_TAIL_LINES = 20  # a list is for an overview


def new_task_id() -> str:
    """Return a unique id that starts like the guide's `task-1774656000`."""
    return f"task-{int(time.time())}-{secrets.token_hex(6)}"


def add(
    session: Session,
    job: Job,
    *,
    node: str,
    actor: str,
    retry_of: str | None = None,
    idempotency_key: str | None = None,
    secret_digest: str | None = None,
) -> TaskRow:
    """Write the row of a new job, Queued, its message about to be sent."""
    now = datetime.now(UTC)
    asked = fingerprint(job, node=node, retry_of=retry_of, secret_digest=secret_digest)
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
        payload=job.payload() | ({} if job.seal_key is None else {"seal_key": job.seal_key}),
        status=TaskStatus.QUEUED,
        queued_at=now,
        message_at=now,
        retry_of=retry_of,
        idempotency_key=idempotency_key,
        fingerprint=None if idempotency_key is None else asked,
    )
    session.add(row)
    session.flush()
    return row


def fingerprint(job: Job, *, node: str, retry_of: str | None = None, secret_digest: str | None = None) -> str:
    """Return what is the same for two requests that ask for the same.

    `secret_digest` tells secrets apart that the payload masks; whoever has the row must not be able to try
    secrets out on it, so it is keyed.
    """
    asked = [job.task, node, retry_of, job.payload(), *([] if secret_digest is None else [secret_digest])]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def with_key(session: Session, *, actor: str, idempotency_key: str) -> TaskRow | None:
    """Return the task that came with this `Idempotency-Key`."""
    return session.exec(
        select(TaskRow).where(TaskRow.actor == actor, TaskRow.idempotency_key == idempotency_key)
    ).first()


def add_output(session: Session, task_id: str, *, first_seq: int, lines: Iterable[str]) -> None:
    """Append lines to a task's output; lines that are there already, their commit unanswered, stay."""
    now = datetime.now(UTC)
    for offset, line in enumerate(lines):
        session.merge(TaskOutputRow(task_id=task_id, seq=first_seq + offset, at=now, line=line))


def next_seq(session: Session, task_id: str) -> int:
    """Return the number that the next line of a task's output gets."""
    last: int | None = session.exec(
        select(func.max(TaskOutputRow.seq)).where(TaskOutputRow.task_id == task_id)
    ).one()
    return 0 if last is None else last + 1


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


def output_after(session: Session, task_id: str, seq: int, *, limit: int = 1000) -> list[TaskOutputRow]:
    """Return the lines of a task that came after line `seq` (the first one is 0), oldest first."""
    return list(
        session.exec(
            select(TaskOutputRow)
            .where(TaskOutputRow.task_id == task_id, col(TaskOutputRow.seq) > seq)
            .order_by(col(TaskOutputRow.seq))
            .limit(limit)
        ).all()
    )


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
        attempts=row.epoch,
        retryOf=row.retry_of,
    )
