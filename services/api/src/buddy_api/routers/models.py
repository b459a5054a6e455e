"""The providers of models."""

from fastapi import APIRouter, Response

from buddy_api.deps import LIST_ERRORS
from buddy_api.envelope import Envelope, problems
from buddy_api.mirrored import Mirrored
from buddy_api.node_lists import Mirror
from buddy_api.openclaw_schemas import ModelsConfig
from buddy_common.schemas.resources import Resource

router = APIRouter(prefix="/v1/openclaw/models", tags=["models"])


@router.get("/config", response_model=Envelope[Mirrored[ModelsConfig]], responses=problems(*LIST_ERRORS))
async def models_config(mirror: Mirror) -> Response:
    """List the providers as openclaw.json has them; keys are masked, as in `sk-…abcd`."""
    return mirror.nested(await mirror.get(Resource.MODELS_CONFIG))
