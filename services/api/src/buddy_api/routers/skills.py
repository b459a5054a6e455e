"""The skills of a node's default bot."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from buddy_api.deps import LIST_ERRORS
from buddy_api.envelope import Envelope, problems
from buddy_api.mirrored import Mirrored, Rows
from buddy_api.node_lists import Mirror
from buddy_api.openclaw_schemas import Skill
from buddy_common.schemas.resources import Resource

router = APIRouter(prefix="/v1/openclaw/skills", tags=["skills"])


@router.get("", response_model=Envelope[Mirrored[list[Skill]]], responses=problems(*LIST_ERRORS))
async def skills(
    mirror: Mirror,
    *,
    installed: Annotated[bool, Query(description="Without those that OpenClaw brings along")] = False,
) -> Response:
    """List the skills with what each still lacks to be usable."""
    listed = await mirror.get(Resource.SKILLS)
    if installed:
        listed, _ = await mirror.part(Resource.SKILLS, listed, "installed", _installed)
    return mirror.nested(listed)


def _installed(rows: Rows) -> tuple[Rows, int]:
    found = [row for row in rows if row.get("bundled") is not True]
    return found, len(found)
