"""The audit table: one row per change and per refused login. Nothing here commits."""

from datetime import UTC, datetime

from sqlalchemy import or_, update
from sqlmodel import Session, col, select

from buddy_common.db.tables import EventRow
from buddy_common.schemas.events import EventStatus, EventView


def add(  # noqa: PLR0913 - the columns that an event has
    session: Session,
    *,
    actor: str,
    action: str,
    status: EventStatus,
    target: str | None = None,
    task_id: str | None = None,
    address: str | None = None,
    node: str | None = None,
    detail: str | None = None,
) -> None:
    """Write one event."""
    session.add(
        EventRow(
            at=datetime.now(UTC),
            actor=actor,
            action=action,
            status=status,
            target=target,
            task_id=task_id,
            address=address,
            node=node,
            detail=detail,
        )
    )


def close(session: Session, task_id: str, *, status: EventStatus, detail: str | None) -> None:
    """Record how the change that a task made has ended; other events of the task stay as they are."""
    session.execute(
        update(EventRow)
        .where(col(EventRow.task_id) == task_id, col(EventRow.status) == EventStatus.PENDING)
        .values(status=status, detail=detail)
    )


def listing(
    session: Session,
    *,
    action: str | None = None,
    actor: str | None = None,
    node: str | None = None,
    since: datetime | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[EventView]:
    """Return events, newest first; `before` is the id of the last one seen.

    Events of no node, such as refused logins, belong to every node's list.
    """
    statement = select(EventRow).order_by(col(EventRow.id).desc()).limit(limit)
    if action is not None:
        statement = statement.where(EventRow.action == action)
    if actor is not None:
        statement = statement.where(EventRow.actor == actor)
    if node is not None:
        statement = statement.where(or_(col(EventRow.node) == node, col(EventRow.node).is_(None)))
    if since is not None:
        statement = statement.where(EventRow.at >= since)
    if before is not None:
        statement = statement.where(col(EventRow.id) < before)
    return [_view(row) for row in session.exec(statement).all()]


def _view(row: EventRow) -> EventView:
    if row.id is None:
        raise ValueError("an event that was read has no id")
    return EventView(
        id=row.id,
        time=row.at,
        user=row.actor,
        action=row.action,
        status=EventStatus(row.status),
        target=row.target,
        taskID=row.task_id,
        address=row.address,
        node=row.node,
        detail=row.detail,
    )
