"""Whose turn it is with a task, and how it ends: each change of hands is one compare-and-swap.

Nothing here commits; the caller's unit of work does.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, and_, exists, func, or_, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from buddy_common.db.tables import TaskRow
from buddy_common.schemas.job import Job
from buddy_common.schemas.jobs import rivals
from buddy_common.schemas.tasks import TaskStatus

FUTURE_SECONDS = 60.0  # a time further ahead than clocks differ was written before the clock was set back


def claim(session: Session, task_id: str, kind: type[Job], *, owner: str) -> TaskRow | None:
    """Take a Queued task for `owner`; None when it is not Queued, or an older one comes first.

    The older one is of the same lane and needs one of the same locks: first come, first served.
    """
    statement = update(TaskRow).where(col(TaskRow.id) == task_id, _is(TaskStatus.QUEUED))
    if kind.locks:
        statement = statement.where(~_older_rival(kind))
    changed = _changed(
        session,
        statement.values(
            status=TaskStatus.RUNNING,
            owner=owner,
            epoch=col(TaskRow.epoch) + 1,
            stage=None,
            # the first start counts: a repetition must be able to see what the first one did
            started_at=func.coalesce(col(TaskRow.started_at), datetime.now(UTC)),
        ),
    )
    if changed == 0:
        return None
    return session.exec(select(TaskRow).where(TaskRow.id == task_id)).one()


def _older_rival(kind: type[Job]) -> ColumnElement[bool]:
    older = aliased(TaskRow)
    return exists().where(
        col(older.node) == col(TaskRow.node),
        col(older.status) == TaskStatus.QUEUED,
        col(older.lane) == col(TaskRow.lane),
        col(older.kind).in_(rivals(kind)),
        or_(
            col(older.queued_at) < col(TaskRow.queued_at),
            and_(col(older.queued_at) == col(TaskRow.queued_at), col(older.id) < col(TaskRow.id)),
        ),
    )


def defer(session: Session, task_id: str, *, stage: str) -> bool:
    """Note that a Queued task waits, and that no message of it is under way; False: not Queued any more."""
    statement = (
        update(TaskRow)
        .where(col(TaskRow.id) == task_id, _is(TaskStatus.QUEUED))
        .values(message_at=None, stage=stage)
    )
    return _changed(session, statement) == 1


def running_rival(session: Session, node: str, kind: type[Job]) -> str | None:
    """Return the name of the running task that holds a lock which `kind` needs."""
    return session.exec(
        select(TaskRow.name).where(
            TaskRow.node == node, _is(TaskStatus.RUNNING), col(TaskRow.kind).in_(rivals(kind))
        )
    ).first()


def first_waiting(session: Session, node: str, kinds: Collection[str], *, in_turn: bool) -> TaskRow | None:
    """Return the oldest Queued task of these kinds of which no message is under way.

    `in_turn`: only if it is the oldest of all; else its turn has not come.
    """
    conditions = [col(TaskRow.node) == node, _is(TaskStatus.QUEUED), col(TaskRow.kind).in_(kinds)]
    if not in_turn:
        conditions.append(col(TaskRow.message_at).is_(None))
    row = session.exec(
        select(TaskRow).where(*conditions).order_by(col(TaskRow.queued_at), col(TaskRow.id)).limit(1)
    ).first()
    return row if row is not None and row.message_at is None else None


def unclaimed(session: Session, node: str, *, seconds: float, limit: int = 500) -> list[TaskRow]:
    """Return the Queued tasks whose message was sent more than `seconds` ago, oldest first."""
    now = datetime.now(UTC)
    sent = col(TaskRow.message_at)
    long_ago = sent < now - timedelta(seconds=seconds)
    return list(
        session.exec(
            select(TaskRow)
            .where(
                TaskRow.node == node,
                _is(TaskStatus.QUEUED),
                or_(long_ago, sent > now + timedelta(seconds=FUTURE_SECONDS)),
            )
            .order_by(col(TaskRow.queued_at), col(TaskRow.id))
            .limit(limit)
        ).all()
    )


def queued_before(session: Session, node: str, *, age: timedelta) -> list[TaskRow]:
    """Return the Queued tasks that are older than `age`."""
    return list(
        session.exec(
            select(TaskRow).where(
                TaskRow.node == node,
                _is(TaskStatus.QUEUED),
                col(TaskRow.queued_at) < datetime.now(UTC) - age,
            )
        ).all()
    )


def take_message(session: Session, row: TaskRow) -> bool:
    """Become the one who sends the message of a Queued task anew; False: somebody else did."""
    seen = col(TaskRow.message_at)
    statement = (
        update(TaskRow)
        .where(
            col(TaskRow.id) == row.id,
            _is(TaskStatus.QUEUED),
            seen.is_(None) if row.message_at is None else seen == row.message_at,
        )
        .values(message_at=datetime.now(UTC))
    )
    return _changed(session, statement) == 1


def running(session: Session, node: str) -> list[TaskRow]:
    """Return the Running tasks of a node."""
    return list(session.exec(select(TaskRow).where(TaskRow.node == node, _is(TaskStatus.RUNNING))).all())


def report(session: Session, task_id: str, *, epoch: int, **fields: Any) -> bool:
    """Update fields of a claimed task; False when the claim is not ours any more."""
    statement = (
        update(TaskRow)
        .where(col(TaskRow.id) == task_id, col(TaskRow.epoch) == epoch, _is(TaskStatus.RUNNING))
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


def repeat(session: Session, task_id: str, *, epoch: int) -> bool:
    """Put a claimed task whose worker died back among the Queued.

    False: the claim is another's, or somebody has asked for the end of the task meanwhile.
    """
    statement = (
        update(TaskRow)
        .where(
            col(TaskRow.id) == task_id,
            col(TaskRow.epoch) == epoch,
            _is(TaskStatus.RUNNING),
            col(TaskRow.cancel_at).is_(None),
        )
        .values(
            status=TaskStatus.QUEUED,
            owner=None,
            process=None,
            message_at=None,
            stage="its worker died; it runs once more",
            progress=0,
        )
    )
    return _changed(session, statement) == 1


def end_queued(session: Session, task_id: str, *, status: TaskStatus, error: str, error_code: str) -> bool:
    """End a task that nobody has claimed; False when somebody has, or it has ended."""
    statement = (
        update(TaskRow)
        .where(col(TaskRow.id) == task_id, _is(TaskStatus.QUEUED))
        .values(status=status, error=error, error_code=error_code, ended_at=datetime.now(UTC))
    )
    return _changed(session, statement) == 1


def fail_unpublished(session: Session, task_id: str, *, error: str, error_code: str) -> bool:
    """End a task whose message was never sent; False when a worker has it all the same.

    Its `Idempotency-Key` is free again: the client was told to try again, and should be able to.
    """
    failed = end_queued(session, task_id, status=TaskStatus.FAILED, error=error, error_code=error_code)
    if failed:
        session.execute(
            update(TaskRow).where(col(TaskRow.id) == task_id).values(idempotency_key=None, fingerprint=None)
        )
    return failed


def ask_to_cancel(session: Session, task_id: str) -> bool:
    """Ask the worker of a Running task to end it; False when it does not run."""
    statement = (
        update(TaskRow)
        .where(col(TaskRow.id) == task_id, _is(TaskStatus.RUNNING))
        .values(cancel_at=func.coalesce(col(TaskRow.cancel_at), datetime.now(UTC)))
    )
    return _changed(session, statement) == 1


def to_cancel(session: Session, *, owner: str) -> list[str]:
    """Return the ids of the owner's Running tasks that somebody wants cancelled."""
    return list(
        session.exec(
            select(TaskRow.id).where(
                _is(TaskStatus.RUNNING), col(TaskRow.owner) == owner, col(TaskRow.cancel_at).is_not(None)
            )
        ).all()
    )


def _is(status: TaskStatus) -> ColumnElement[bool]:
    return col(TaskRow.status) == status


def _changed(session: Session, statement: Any) -> int:
    result = session.execute(statement)
    if not isinstance(result, CursorResult):
        raise TypeError("an UPDATE gave no cursor")
    return int(result.rowcount)
