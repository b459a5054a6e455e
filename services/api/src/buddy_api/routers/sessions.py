"""The sessions of all bots."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from buddy_api.deps import BOT_ID, LIST_ERRORS
from buddy_api.envelope import Envelope, problems
from buddy_api.mirrored import Mirrored, Rows
from buddy_api.node_lists import Mirror
from buddy_api.openclaw_schemas import Session
from buddy_common.schemas.resources import Resource

router = APIRouter(prefix="/v1/openclaw/sessions", tags=["sessions"])


@router.get("", response_model=Envelope[Mirrored[list[Session]]], responses=problems(*LIST_ERRORS))
async def sessions(
    mirror: Mirror,
    agent: Annotated[str | None, Query(pattern=BOT_ID, description="Of this bot only")] = None,
    limit: Annotated[int | None, Query(ge=1, le=100_000, description="At most so many; else all")] = None,
    offset: Annotated[int, Query(ge=0, description="Leave out so many first")] = 0,
) -> Response:
    """List the sessions, the one that was used last first; `total` counts them all."""
    listed = await mirror.get(Resource.SESSIONS)

    def page(rows: Rows) -> tuple[Rows, int]:
        if agent is None and offset == 0 and limit is None:
            return rows, len(rows)
        wanted = rows if agent is None else [row for row in rows if row["agentId"] == agent]
        return wanted[offset : None if limit is None else offset + limit], len(wanted)

    part, total = await mirror.part(Resource.SESSIONS, listed, (agent, offset, limit), page)
    return await mirror.nested(part, total=total)
