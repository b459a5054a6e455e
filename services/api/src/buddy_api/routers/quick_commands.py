"""The quick commands of the chat. They are rows of Buddy's own, so no job is needed."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict

from buddy_api.deps import NODE_ERRORS, Caller, Node, Wired
from buddy_api.envelope import Envelope, ok, problems
from buddy_api.usecases.change_quick_commands import add_quick_command, delete_quick_command
from buddy_common.db import quick_commands
from buddy_common.errors import CrossOriginError, SystemCommandError, UnknownQuickCommandError
from buddy_common.schemas.quick_commands import NewQuickCommand, QuickCommandView

router = APIRouter(prefix="/v1/openclaw/chat/quick-commands", tags=["chat"])


class QuickCommandAdded(BaseModel):
    """The new command's id."""

    model_config = ConfigDict(json_schema_extra={"example": {"id": 9, "status": "success"}})

    id: int
    status: Literal["success"] = "success"


class QuickCommandDeleted(BaseModel):
    """It is gone."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"status": "success", "message": "快捷指令已删除"}}
    )

    status: Literal["success"] = "success"
    message: str = "快捷指令已删除"


@router.get("", responses=problems(*NODE_ERRORS))
async def list_commands(_caller: Caller, node: Node, w: Wired) -> Envelope[list[QuickCommandView]]:
    """List the node's quick commands and the system ones, oldest first."""
    return ok(await w.database.run(lambda session: quick_commands.listing(session, node=node)))


@router.post("", responses=problems(*NODE_ERRORS, CrossOriginError))
async def add_command(
    body: NewQuickCommand, caller: Caller, node: Node, w: Wired
) -> Envelope[QuickCommandAdded]:
    """Add a quick command to the node."""
    added = await add_quick_command(w.database, body, node=node, operator=caller)
    return ok(QuickCommandAdded(id=added.id))


@router.delete(
    "/{command_id}",
    responses=problems(*NODE_ERRORS, CrossOriginError, SystemCommandError, UnknownQuickCommandError),
)
async def delete_command(
    caller: Caller, node: Node, w: Wired, command_id: Annotated[int, Path(ge=1, le=2**63 - 1)]
) -> Envelope[QuickCommandDeleted]:
    """Delete a quick command that was added; system ones stay."""
    await delete_quick_command(w.database, command_id, node=node, operator=caller)
    return ok(QuickCommandDeleted())
