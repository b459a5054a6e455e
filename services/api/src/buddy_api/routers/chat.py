"""The gateway's chat API: whether it is on."""

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from buddy_api.changes import BaseHash, Change, Changed, change_responses
from buddy_api.deps import LIST_ERRORS
from buddy_api.envelope import Envelope, problems
from buddy_api.node_lists import Mirror
from buddy_api.openclaw_schemas import ChatStatus
from buddy_common.schemas.chat_jobs import EnableChatJob
from buddy_common.schemas.resources import Resource

router = APIRouter(prefix="/v1/openclaw/chat", tags=["chat"])


@router.get("/status", response_model=Envelope[ChatStatus], responses=problems(*LIST_ERRORS))
async def chat_status(mirror: Mirror) -> Response:
    """Say whether the gateway answers chats over HTTP."""
    return await mirror.flat(await mirror.get(Resource.CHAT))


class EnableChat(BaseModel):
    """Whether people may chat through the gateway's HTTP API."""

    model_config = ConfigDict(json_schema_extra={"example": {"enabled": True}})

    enabled: bool = True


_ON = EnableChat()
_TURNED_ON = "聊天功能已开启,请重启网关"


@router.post("/enable", response_model=Envelope[Changed], responses=change_responses(message=_TURNED_ON))
async def enable_chat(change: Change, base: BaseHash, body: EnableChat | None = None) -> Response:
    """Turn the gateway's chat API on, or off with `enabled: false`; `result.applied` says whether at once."""
    enabled = (body or _ON).enabled
    message = _TURNED_ON if enabled else "聊天功能已关闭"
    return await change.make(EnableChatJob(enabled=enabled, base_hash=base), message)
