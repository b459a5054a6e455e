"""The events of an incident as they go into the record: pure but for their ids."""

import uuid
from datetime import datetime
from typing import Any

from buddy_common.schemas.healing import EventKind, HealEvent
from buddy_watchdog.evidence import Evidence
from buddy_watchdog.repairs.patient import Repaired
from buddy_watchdog.state_file import Incident
from buddy_watchdog.verdict import Finding

DONE = "done"  # how the outcome of a repair that helped begins


def event_of(
    kind: EventKind, incident: Incident, finding: Finding, *, node: str, at: datetime, **more: Any
) -> HealEvent:
    """Return an event with an id of its own."""
    return HealEvent(
        id=uuid.uuid4().hex,
        incident=incident.id,
        node=node,
        at=at,
        kind=kind,
        verdict=finding.verdict,
        reason=finding.reason,
        **more,
    )


def planned_repair(
    incident: Incident, evidence: Evidence, finding: Finding, *, node: str, at: datetime, attempt: int
) -> HealEvent:
    """Return the event of a repair that is about to begin: what is to be done is not chosen yet."""
    return event_of(
        EventKind.REPAIR,
        incident,
        finding,
        node=node,
        at=at,
        attempt=attempt,
        repair="repair",
        evidence_before=evidence.shown(),
    )


def made_repair(planned: HealEvent, done: Repaired, after: Evidence, *, at: datetime) -> HealEvent:
    """Return the event of a repair that has ended: the planned one, with what came of it."""
    return planned.model_copy(
        update={
            "at": at,
            "repair": done.name,
            "outcome": f"{DONE if done.ok else 'failed'}: {done.said}",
            "evidence_after": after.shown(),
        }
    )
