"""What OpenClaw is and how its gateway does."""

from fastapi import APIRouter, Request, Response

from buddy_api.deps import LIST_ERRORS, NODE_ERRORS, Caller, IfNoneMatch, Node, Wired
from buddy_api.envelope import Envelope, ok, problems
from buddy_api.etags import conditional, tagged
from buddy_api.openclaw_schemas import DashboardUrl
from buddy_api.schemas import OpenClawStatus, OpenClawVersion
from buddy_api.usecases.read_status import read_status, read_version
from buddy_common.db import nodes

router = APIRouter(prefix="/v1/openclaw", tags=["openclaw"])

# what of a status grows older by itself: it makes no new version of it
_CLOCKS = {"data": {"age_ms"}}


@router.get("/status", response_model=Envelope[OpenClawStatus], responses=problems(*LIST_ERRORS))
async def status(_caller: Caller, node: Node, w: Wired, known: IfNoneMatch = None) -> Response:
    """Return the state of the gateway as its node last saw it; `stale` when that is long ago."""
    body = ok(await read_status(w.read_model, node=node))
    tag, _ = tagged(body, exclude=_CLOCKS)
    return conditional(body.model_dump_json().encode(), f"W/{tag}", known)


@router.get("/version", response_model=Envelope[OpenClawVersion], responses=problems(*LIST_ERRORS))
async def version(_caller: Caller, node: Node, w: Wired, known: IfNoneMatch = None) -> Response:
    """Return which OpenClaw the node has."""
    tag, content = tagged(ok(await read_version(w.read_model, node=node)))
    return conditional(content, tag, known)


@router.get("/dashboard-url", response_model=Envelope[DashboardUrl], responses=problems(*NODE_ERRORS))
async def dashboard_url(
    request: Request, _caller: Caller, node: Node, w: Wired, known: IfNoneMatch = None
) -> Response:
    """Return where the gateway's panel is; no token stands in the address."""
    elsewhere = await w.database.run(lambda session: nodes.proxy_url(session, node))
    own = f"{elsewhere or str(request.base_url).rstrip('/')}/v1/proxy/"
    tag, content = tagged(ok(DashboardUrl(url=w.config.web.external_dashboard_url or own)))
    return conditional(content, tag, known)
