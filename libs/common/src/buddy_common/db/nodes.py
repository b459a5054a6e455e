"""The nodes that have registered. Nothing here commits."""

from datetime import UTC, datetime

from sqlalchemy import CursorResult, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from buddy_common.db.tables import NodeRow


def touch(session: Session, name: str, *, hostname: str) -> None:
    """Register a node, or note that it was seen; several workers of it may do so at once."""
    now = datetime.now(UTC)
    if _seen(session, name, hostname=hostname, now=now):
        return
    try:
        with session.begin_nested():
            session.add(NodeRow(name=name, hostname=hostname, registered_at=now, last_seen_at=now))
    except IntegrityError:  # another worker was faster
        _seen(session, name, hostname=hostname, now=now)


def _seen(session: Session, name: str, *, hostname: str, now: datetime) -> bool:
    result = session.execute(
        update(NodeRow).where(col(NodeRow.name) == name).values(hostname=hostname, last_seen_at=now)
    )
    return isinstance(result, CursorResult) and result.rowcount == 1


def listing(session: Session) -> list[NodeRow]:
    """Return all nodes by name."""
    return list(session.exec(select(NodeRow).order_by(col(NodeRow.name))).all())


def names(session: Session) -> list[str]:
    """Return the names of all nodes."""
    return list(session.exec(select(NodeRow.name).order_by(col(NodeRow.name))).all())
