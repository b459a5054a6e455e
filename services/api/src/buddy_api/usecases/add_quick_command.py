"""Add a quick command to a node's chat."""

from sqlmodel import Session

from buddy_api.auth import Operator
from buddy_common.db import events, quick_commands
from buddy_common.db.engine import Database
from buddy_common.schemas.events import EventStatus
from buddy_common.schemas.quick_commands import NewQuickCommand, QuickCommandView


async def add_quick_command(
    database: Database, command: NewQuickCommand, *, node: str, operator: Operator
) -> QuickCommandView:
    """Write the command and its audit event, or neither.

    Raises:
        DatabaseUnavailableError: nothing was written.
    """

    def record(session: Session) -> QuickCommandView:
        added = quick_commands.add(session, command, node=node)
        events.add(
            session,
            actor=operator.name,
            action="add_quick_command",
            status=EventStatus.SUCCESS,
            target=f"{added.id} {added.label}",
            address=operator.address,
            node=node,
        )
        return added

    return await database.run(record)
