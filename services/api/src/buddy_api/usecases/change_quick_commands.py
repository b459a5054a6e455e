"""Change the quick commands of a node's chat: the row and its audit event, or neither."""

from sqlmodel import Session

from buddy_common.adapters.access import Operator
from buddy_common.db import events, quick_commands
from buddy_common.db.engine import Database
from buddy_common.schemas.events import EventStatus
from buddy_common.schemas.quick_commands import NewQuickCommand, QuickCommandView


async def add_quick_command(
    database: Database, command: NewQuickCommand, *, node: str, operator: Operator
) -> QuickCommandView:
    """Write the command.

    Raises:
        DatabaseUnavailableError: nothing was written.
    """

    def record(session: Session) -> QuickCommandView:
        added = quick_commands.add(session, command, node=node)
        _tell(session, "add", f"{added.id} {added.label}", node=node, operator=operator)
        return added

    return await database.run(record)


async def delete_quick_command(database: Database, command_id: int, *, node: str, operator: Operator) -> None:
    """Delete the command.

    Raises:
        UnknownQuickCommandError: the node has none of this id.
        SystemCommandError: it is one of those that every node has.
        DatabaseUnavailableError: nothing was written.
    """

    def record(session: Session) -> None:
        label = quick_commands.delete(session, command_id, node=node)
        _tell(session, "delete", f"{command_id} {label}", node=node, operator=operator)

    await database.run(record)


def _tell(session: Session, verb: str, target: str, *, node: str, operator: Operator) -> None:
    events.add(
        session,
        actor=operator.name,
        action=f"{verb}_quick_command",
        status=EventStatus.SUCCESS,
        target=target,
        address=operator.address,
        node=node,
    )
