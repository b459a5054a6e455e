"""What the watchdog may do, and what it did, as jobs."""

import asyncio
from datetime import UTC, datetime

from pydantic import BaseModel

from buddy_common.adapters.alerts import Alerts
from buddy_common.errors import AlertFailedError, NoAlertsError
from buddy_common.schemas.healing import SelfHealing
from buddy_common.schemas.healing_jobs import (
    CloseCircuitJob,
    DiscardQuarantineJob,
    ReleaseQuarantineJob,
    SendTestAlertJob,
    SetSelfHealingJob,
)
from buddy_worker.jobs import RunningJob
from buddy_worker.tasks.registry import handles
from buddy_worker.usecases.discard_quarantine import discard_quarantine
from buddy_worker.usecases.publish_healing import publish_healing
from buddy_worker.usecases.release_quarantine import release_quarantine


class AlertDelivery(BaseModel):
    """What came of an alert at one address."""

    target: str
    ok: bool
    problem: str | None


class AlertsSent(BaseModel):
    """What came of it everywhere."""

    deliveries: list[AlertDelivery]


@handles(SetSelfHealingJob)
async def _set(job: RunningJob[SetSelfHealingJob]) -> BaseModel:
    asked = job.payload
    update = {"mode": asked.mode, "paused_until": asked.paused_until}
    wishes = await asyncio.to_thread(
        job.host.self_healing.change, lambda wishes: wishes.model_copy(update=update)
    )
    await publish_healing(job.host)
    return wishes


@handles(CloseCircuitJob)
async def _close(job: RunningJob[CloseCircuitJob]) -> BaseModel:
    def close(wishes: SelfHealing) -> SelfHealing:
        return wishes.model_copy(update={"circuit_closed_at": datetime.now(UTC)})

    wishes = await asyncio.to_thread(job.host.self_healing.change, close)
    await publish_healing(job.host)
    return wishes


@handles(SendTestAlertJob)
async def _send(job: RunningJob[SendTestAlertJob]) -> BaseModel:
    return await send_test_alert(job.host.node, job.alerts)


@handles(ReleaseQuarantineJob)
async def _release(job: RunningJob[ReleaseQuarantineJob]) -> BaseModel:
    return await release_quarantine(job)


@handles(DiscardQuarantineJob)
async def _discard(job: RunningJob[DiscardQuarantineJob]) -> BaseModel:
    return await discard_quarantine(job)


async def send_test_alert(node: str, alerts: Alerts) -> AlertsSent:
    """Send an alert, and return what came of it at each address.

    Raises:
        NoAlertsError: there is no address.
        AlertFailedError: it did not reach all of them; the detail says which.
    """
    found = await alerts.notify(
        f"[{node}] OpenClaw Buddy 测试告警 · test alert",
        f"节点 {node} 的告警可以送达，无需处理。\nAlerts of node {node} reach you. Nothing is wrong.",
    )
    if not found:
        raise NoAlertsError
    sent = AlertsSent(
        deliveries=[
            AlertDelivery(target=delivery.target, ok=delivery.ok, problem=delivery.problem)
            for delivery in found
        ]
    )
    failed = [delivery.target for delivery in sent.deliveries if not delivery.ok]
    if failed:
        raise AlertFailedError(
            f"The alert did not reach {', '.join(failed)}. Look at BUDDY_ALERT_URLS.", **sent.model_dump()
        )
    return sent
