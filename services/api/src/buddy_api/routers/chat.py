"""The gateway's chat API: whether it is on."""

from fastapi import APIRouter, Response

from buddy_api.deps import LIST_ERRORS
from buddy_api.envelope import Envelope, problems
from buddy_api.node_lists import Mirror
from buddy_api.openclaw_schemas import ChatStatus
from buddy_common.schemas.resources import Resource

router = APIRouter(prefix="/v1/openclaw/chat", tags=["chat"])


@router.get("/status", response_model=Envelope[ChatStatus], responses=problems(*LIST_ERRORS))
async def chat_status(mirror: Mirror) -> Response:
    """Say whether the gateway answers chats over HTTP."""
    return mirror.flat(await mirror.get(Resource.CHAT))
