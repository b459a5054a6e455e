"""Change the quick commands of a node's chat: the row and its audit event, or neither."""

import json

from sqlmodel import Session

from buddy_common.adapters.access import Operator
from buddy_common.db import events, quick_commands
from buddy_common.db.engine import Database
from buddy_common.schemas.events import EventStatus
from buddy_common.schemas.quick_commands import NewQuickCommand, QuickCommandView
from buddy_common.text_mask import mask_output


async def add_quick_command(
    database: Database, command: NewQuickCommand, *, node: str, operator: Operator
) -> QuickCommandView:
    """Write the command.

    Raises:
        DatabaseUnavailableError: nothing was written.
    """

    def record(session: Session) -> QuickCommandView:
        added = quick_commands.add(session, command, node=node)
        _tell(session, "add", added, detail=f"null → {_shown(added)}", node=node, operator=operator)
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
        was = quick_commands.delete(session, command_id, node=node)
        _tell(session, "delete", was, detail=f"{_shown(was)} → null", node=node, operator=operator)

    await database.run(record)


def _shown(command: QuickCommandView) -> str:
    """Return what it says, as the audit keeps it."""
    said = command.model_dump(include={"label", "prompt", "icon"})
    return mask_output(json.dumps(said, ensure_ascii=False))


def _tell(
    session: Session, verb: str, command: QuickCommandView, *, detail: str, node: str, operator: Operator
) -> None:
    events.add(
        session,
        actor=operator.name,
        action=f"{verb}_quick_command",
        status=EventStatus.SUCCESS,
        target=f"{command.id} {command.label}",
        address=operator.address,
        node=node,
        detail=f"quick command {command.id}: {detail}",
    )
