"""The nodes that have registered. Nothing here commits."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import CursorResult, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from buddy_common.db.tables import NodeRow


def touch(session: Session, name: str, *, hostname: str, proxy_url: str | None = None) -> None:
    """Register a node, or note that it was seen; several workers of it may do so at once."""
    now = datetime.now(UTC)
    seen: dict[str, Any] = {"hostname": hostname, "proxy_url": proxy_url, "last_seen_at": now}
    if _seen(session, name, seen):
        return
    try:
        with session.begin_nested():
            session.add(NodeRow(name=name, registered_at=now, **seen))
    except IntegrityError:  # another worker was faster
        _seen(session, name, seen)


def proxy_url(session: Session, name: str) -> str | None:
    """Return where the node's proxy is reached, None where it has none of its own."""
    return session.exec(select(NodeRow.proxy_url).where(NodeRow.name == name)).first()


def _seen(session: Session, name: str, seen: dict[str, Any]) -> bool:
    result = session.execute(update(NodeRow).where(col(NodeRow.name) == name).values(**seen))
    return isinstance(result, CursorResult) and result.rowcount == 1


def listing(session: Session) -> list[NodeRow]:
    """Return all nodes by name."""
    return list(session.exec(select(NodeRow).order_by(col(NodeRow.name))).all())


def names(session: Session) -> list[str]:
    """Return the names of all nodes."""
    return list(session.exec(select(NodeRow.name).order_by(col(NodeRow.name))).all())
