"""What the watchdog found and did: events, incidents, reports, quarantine and circuit."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from buddy_api.changes import BaseHash, Change, Changed, change_responses, job_responses
from buddy_api.deps import LIST_ERRORS, NODE_ERRORS, WORD, Caller, Node, Wired
from buddy_api.envelope import Envelope, ok, problems
from buddy_api.healing_schemas import QuarantineList, ReportContent, Reports
from buddy_api.times import require_moment
from buddy_api.usecases.read_healing import read_healing
from buddy_api.usecases.read_reports import read_reports
from buddy_common.db import heal_events, heal_incidents
from buddy_common.errors import (
    BrokerUnavailableError,
    ConfigUndoneError,
    PlaceTakenError,
    ReaderSilentError,
    StateUnwritableError,
    UnknownQuarantineError,
    UnknownReportError,
)
from buddy_common.schemas.heal_views import REPORT_NAME, HealEventView, IncidentView, ReportQuestion
from buddy_common.schemas.healing_jobs import (
    QUARANTINE_ID,
    CloseCircuitJob,
    DiscardQuarantineJob,
    ReleaseQuarantineJob,
)
from buddy_common.schemas.verdicts import Verdict

router = APIRouter(prefix="/v1/heal", tags=["heal"])

_MAX_ID = 64
_MAX_NAME = 128
_REPORT_ERRORS = (*NODE_ERRORS, BrokerUnavailableError, ReaderSilentError)
Limit = Annotated[int, Query(ge=1, le=1000)]
IncidentId = Annotated[str | None, Query(pattern=WORD, max_length=_MAX_ID)]


@router.get("/events", responses=problems(*NODE_ERRORS))
async def events(
    _caller: Caller,
    node: Node,
    w: Wired,
    verdict: Verdict | None = None,
    incident: IncidentId = None,
    since: Annotated[datetime | None, Query(description="RFC 3339, with a zone")] = None,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="Page on from this `seq`")] = None,
    limit: Limit = 100,
) -> Envelope[list[HealEventView]]:
    """List what was found and done, newest first."""
    moment = require_moment("since", since)
    return ok(
        await w.database.run(
            lambda session: heal_events.listing(
                session,
                node=node,
                verdict=verdict,
                incident=incident,
                since=moment,
                before=before,
                limit=limit,
            )
        )
    )


@router.get("/incidents", responses=problems(*NODE_ERRORS))
async def incidents(
    _caller: Caller,
    node: Node,
    w: Wired,
    active: Annotated[
        bool | None, Query(description="Only those that go on, or only those that do not")
    ] = None,
    before: Annotated[datetime | None, Query(description="Page on from the `began` of this one")] = None,
    limit: Limit = 100,
) -> Envelope[list[IncidentView]]:
    """List incidents, newest first."""
    moment = require_moment("before", before)
    return ok(
        await w.database.run(
            lambda session: heal_incidents.listing(
                session, node=node, active=active, before=moment, limit=limit
            )
        )
    )


@router.get("/reports", responses=problems(*_REPORT_ERRORS))
async def reports(
    _caller: Caller,
    node: Node,
    w: Wired,
    limit: Limit = 100,
    before: Annotated[
        str | None,
        Query(pattern=rf"^{REPORT_NAME}$", max_length=_MAX_NAME, description="Page on from this name"),
    ] = None,
) -> Envelope[Reports]:
    """List the reports of incidents, the one that was written last first."""
    question = ReportQuestion(before=before, limit=limit)
    found = await read_reports(w.requests, question, node=node, seconds=w.config.web.wait_seconds)
    return ok(Reports.model_validate(found))


@router.get("/reports/{name}", responses=problems(*_REPORT_ERRORS, UnknownReportError))
async def report(
    _caller: Caller,
    node: Node,
    w: Wired,
    name: Annotated[str, Path(pattern=rf"^{REPORT_NAME}$", max_length=_MAX_NAME, description="Of the list")],
) -> Envelope[ReportContent]:
    """Return a report as Markdown."""
    question = ReportQuestion(name=name)
    found = await read_reports(w.requests, question, node=node, seconds=w.config.web.wait_seconds)
    return ok(ReportContent.model_validate(found))


@router.get("/quarantine", responses=problems(*LIST_ERRORS))
async def quarantine(_caller: Caller, node: Node, w: Wired) -> Envelope[QuarantineList]:
    """List the entries of openclaw.json that were taken out so that the gateway starts."""
    view, stale = await read_healing(w.read_model, node=node)
    return ok(QuarantineList(quarantine=view.quarantine, stale=stale))


@router.post(
    "/quarantine/{entry_id}/release",
    response_model=Envelope[Changed],
    responses=change_responses(
        UnknownQuarantineError, PlaceTakenError, ConfigUndoneError, StateUnwritableError
    ),
)
async def release(
    change: Change,
    base: BaseHash,
    entry_id: Annotated[str, Path(pattern=QUARANTINE_ID, description="Of the list")],
) -> Response:
    """Put an entry back into openclaw.json; one that the gateway cannot live with is taken out again."""
    return await change.make(ReleaseQuarantineJob(id=entry_id, base_hash=base), "已从隔离区恢复")


@router.delete(
    "/quarantine/{entry_id}",
    response_model=Envelope[Changed],
    responses=job_responses(UnknownQuarantineError, StateUnwritableError),
)
async def discard(
    change: Change,
    entry_id: Annotated[str, Path(pattern=QUARANTINE_ID, description="Of the list")],
) -> Response:
    """Forget an entry for good; openclaw.json stays as it is."""
    return await change.make(DiscardQuarantineJob(id=entry_id), "已从隔离区删除")


@router.post(
    "/circuit/close",
    response_model=Envelope[Changed],
    responses=job_responses(StateUnwritableError),
)
async def close_circuit(change: Change) -> Response:
    """Let the watchdog repair again after it gave up."""
    return await change.make(CloseCircuitJob(), "熔断已解除")
