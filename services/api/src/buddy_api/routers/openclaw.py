"""What OpenClaw is and how its gateway does."""

from fastapi import APIRouter

from buddy_api.deps import NODE_ERRORS, Caller, Node, Wired
from buddy_api.envelope import Envelope, ok, problems
from buddy_api.schemas import OpenClawStatus, OpenClawVersion
from buddy_api.usecases.read_status import read_status, read_version
from buddy_common.errors import BrokerUnavailableError, NotReportedError

router = APIRouter(
    prefix="/v1/openclaw",
    tags=["openclaw"],
    responses=problems(*NODE_ERRORS, BrokerUnavailableError, NotReportedError),
)


@router.get("/status")
async def status(_caller: Caller, node: Node, w: Wired) -> Envelope[OpenClawStatus]:
    """Return the state of the gateway as its node last saw it; `stale` when that is long ago."""
    return ok(await read_status(w.read_model, node=node))


@router.get("/version")
async def version(_caller: Caller, node: Node, w: Wired) -> Envelope[OpenClawVersion]:
    """Return which OpenClaw the node has."""
    return ok(await read_version(w.read_model, node=node))
