"""What the watchdog may do, and whom it tells."""

from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter, Response

from buddy_api.changes import Change, Changed, job_responses
from buddy_api.deps import LIST_ERRORS, Caller, Node, Wired
from buddy_api.envelope import Envelope, ok, problems
from buddy_api.healing_schemas import SelfHealingStatus, SetSelfHealing
from buddy_api.times import require_moment
from buddy_api.usecases.read_healing import read_healing
from buddy_common.errors import AlertFailedError, InvalidRequestError, NoAlertsError, StateUnwritableError
from buddy_common.schemas.healing import Healing, HealingView
from buddy_common.schemas.healing_jobs import SendTestAlertJob, SetSelfHealingJob

router = APIRouter(prefix="/v1/settings", tags=["settings"])


@router.get("/self-healing", responses=problems(*LIST_ERRORS))
async def self_healing(_caller: Caller, node: Node, w: Wired) -> Envelope[SelfHealingStatus]:
    """Return whether the watchdog repairs, and what it is about."""
    view, stale = await read_healing(w.read_model, node=node)
    mode = _mode(view, datetime.now(UTC))
    return ok(
        SelfHealingStatus(
            mode=mode,
            paused_until=view.paused_until if mode == "paused" else None,
            circuit_open_since=view.circuit_open_since,
            incident=view.incident,
            quarantined=len(view.quarantine),
            stale=stale,
        )
    )


@router.post(
    "/self-healing",
    response_model=Envelope[Changed],
    responses=job_responses(StateUnwritableError),
)
async def set_self_healing(change: Change, body: SetSelfHealing) -> Response:
    """Switch the repairs on or off, or pause them until a time; it watches and tells in any case."""
    until = require_moment("paused_until", body.paused_until)
    if body.mode == "paused" and (until is None or until <= datetime.now(UTC)):
        raise InvalidRequestError.of_field("paused_until", "`paused` needs a time that is still to come.")
    if body.mode != "paused" and until is not None:
        raise InvalidRequestError.of_field("paused_until", "only `paused` goes with a time.")
    mode = Healing.OFF if body.mode == "off" else Healing.ON
    return await change.make(SetSelfHealingJob(mode=mode, paused_until=until), "自愈设置已更新")


@router.post(
    "/alerts/test",
    response_model=Envelope[Changed],
    responses=job_responses(NoAlertsError, AlertFailedError),
)
async def test_alerts(change: Change) -> Response:
    """Send an alert to every address that the node has; `result.deliveries` says of each what came of it."""
    return await change.make(SendTestAlertJob(), "测试告警已发送")


def _mode(view: HealingView, now: datetime) -> Literal["on", "off", "paused"]:
    if view.mode is Healing.OFF:
        return "off"
    return "paused" if view.paused_until is not None and now < view.paused_until else "on"
