"""The WeChat channel."""

from fastapi import APIRouter, Response

from buddy_api.deps import LIST_ERRORS
from buddy_api.envelope import Envelope, problems
from buddy_api.node_lists import Mirror
from buddy_api.openclaw_schemas import WechatStatus
from buddy_common.schemas.resources import Resource

router = APIRouter(prefix="/v1/wechat", tags=["wechat"])


@router.get("/config/status", response_model=Envelope[WechatStatus], responses=problems(*LIST_ERRORS))
async def wechat_status(mirror: Mirror) -> Response:
    """Say which accounts are bound, how each does, and when it last synced."""
    return await mirror.flat(await mirror.get(Resource.WECHAT))
