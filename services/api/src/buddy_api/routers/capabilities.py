"""What Buddy can do with the OpenClaw in front of it."""

from fastapi import APIRouter, Response

from buddy_api.deps import LIST_ERRORS
from buddy_api.envelope import Envelope, problems
from buddy_api.node_lists import Mirror
from buddy_api.openclaw_schemas import Capabilities
from buddy_common.schemas.resources import Resource

router = APIRouter(tags=["capabilities"])


@router.get("/v1/capabilities", response_model=Envelope[Capabilities], responses=problems(*LIST_ERRORS))
async def capabilities(mirror: Mirror) -> Response:
    """Say for each route by which way it gets its facts on this node."""
    return await mirror.flat(await mirror.get(Resource.CAPABILITIES))
