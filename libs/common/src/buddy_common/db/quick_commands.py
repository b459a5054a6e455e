"""The quick commands of the chat: those of a node, and the system ones of all. Nothing here commits."""

from datetime import UTC, datetime

from sqlalchemy import delete as sql_delete
from sqlmodel import Session, col, or_, select

from buddy_common.db.tables import QuickCommandRow
from buddy_common.errors import SystemCommandError, UnknownQuickCommandError
from buddy_common.schemas.quick_commands import NewQuickCommand, QuickCommandView


def listing(session: Session, *, node: str) -> list[QuickCommandView]:
    """Return the commands of a node and the system ones, oldest first."""
    statement = (
        select(QuickCommandRow)
        .where(or_(col(QuickCommandRow.node) == node, col(QuickCommandRow.node).is_(None)))
        .order_by(col(QuickCommandRow.id))
    )
    return [_view(row) for row in session.exec(statement).all()]


def add(session: Session, command: NewQuickCommand, *, node: str) -> QuickCommandView:
    """Write the row of a node's new command."""
    row = QuickCommandRow(
        node=node,
        label=command.label,
        prompt=command.prompt,
        icon=command.icon,
        created_at=datetime.now(UTC),
    )
    session.add(row)
    session.flush()
    return _view(row)


def delete(session: Session, command_id: int, *, node: str) -> QuickCommandView:
    """Delete a command of the node and return what it was.

    Raises:
        UnknownQuickCommandError: the node has none of this id.
        SystemCommandError: it is one of those that every node has.
    """
    row_id, row_node = col(QuickCommandRow.id), col(QuickCommandRow.node)
    deleted = session.scalars(
        sql_delete(QuickCommandRow).where(row_id == command_id, row_node == node).returning(QuickCommandRow)
    ).one_or_none()
    if deleted is not None:
        return _view(deleted)
    label = select(col(QuickCommandRow.label)).where(row_id == command_id, row_node.is_(None))
    system = session.exec(label).first()
    if system is None:
        raise UnknownQuickCommandError(command_id)
    raise SystemCommandError(system)


def _view(row: QuickCommandRow) -> QuickCommandView:
    if row.id is None:
        raise ValueError("a command that was written has no id")
    return QuickCommandView(
        id=row.id,
        label=row.label,
        prompt=row.prompt,
        icon=row.icon,
        system=row.node is None,
        createdAt=row.created_at,
    )
