"""The machine of a node, and the audit."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from buddy_api.deps import NODE_ERRORS, WORD, Caller, Node, Wired
from buddy_api.envelope import Envelope, ok, problems
from buddy_api.times import require_moment
from buddy_api.usecases.read_status import read_system
from buddy_common.db import events
from buddy_common.errors import BrokerUnavailableError, NotReportedError
from buddy_common.schemas.events import EventView
from buddy_common.schemas.system import SystemInfo

router = APIRouter(prefix="/v1/system", tags=["system"])


@router.get(
    "/info",
    responses=problems(*NODE_ERRORS, BrokerUnavailableError, NotReportedError),
)
async def info(_caller: Caller, node: Node, w: Wired) -> Envelope[SystemInfo]:
    """Return the hardware figures of the node."""
    return ok(await read_system(w.read_model, node=node))


@router.get(
    "/events",
    responses=problems(*NODE_ERRORS),
)
async def list_events(
    _caller: Caller,
    node: Node,
    w: Wired,
    action: Annotated[str | None, Query(pattern=WORD, max_length=64)] = None,
    user: Annotated[str | None, Query(pattern=WORD, max_length=64)] = None,
    since: Annotated[datetime | None, Query(description="RFC 3339, with a zone")] = None,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="Page on from this id")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Envelope[list[EventView]]:
    """List who did what through Buddy, newest first."""
    moment = require_moment("since", since)
    return ok(
        await w.database.run(
            lambda session: events.listing(
                session,
                action=action,
                actor=user,
                node=node,
                since=moment,
                before=before,
                limit=limit,
            )
        )
    )
