"""Delete a quick command of a node's chat."""

from sqlmodel import Session

from buddy_api.auth import Operator
from buddy_common.db import events, quick_commands
from buddy_common.db.engine import Database
from buddy_common.schemas.events import EventStatus


async def delete_quick_command(database: Database, command_id: int, *, node: str, operator: Operator) -> None:
    """Delete the command and write its audit event, or neither.

    Raises:
        UnknownQuickCommandError: the node has none of this id.
        SystemCommandError: it is one of those that every node has.
        DatabaseUnavailableError: nothing was written.
    """

    def record(session: Session) -> None:
        label = quick_commands.delete(session, command_id, node=node)
        events.add(
            session,
            actor=operator.name,
            action="delete_quick_command",
            status=EventStatus.SUCCESS,
            target=f"{command_id} {label}",
            address=operator.address,
            node=node,
        )

    await database.run(record)
