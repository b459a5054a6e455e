"""How the gateway did over time."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from buddy_api.deps import NODE_ERRORS, Caller, Node, Wired
from buddy_api.envelope import Envelope, ok, problems
from buddy_common.db import health_checks
from buddy_common.schemas.heal_views import HealthPoint

router = APIRouter(prefix="/v1/stats", tags=["stats"])


@router.get("/health", responses=problems(*NODE_ERRORS))
async def health(
    _caller: Caller,
    node: Node,
    w: Wired,
    hours: Annotated[int, Query(ge=1, le=720)] = 24,
    points: Annotated[
        int, Query(ge=1, le=2000, description="At most so many; each has the worst status of its time")
    ] = 288,
) -> Envelope[list[HealthPoint]]:
    """Return health, CPU and memory of the gateway over the last hours, oldest first."""
    now = datetime.now(UTC)
    return ok(
        await w.database.run(
            lambda session: health_checks.series(session, node=node, hours=hours, points=points, now=now)
        )
    )
