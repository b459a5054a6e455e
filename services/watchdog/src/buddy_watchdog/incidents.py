"""Which incident is open after a step, and how long one took: pure."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from buddy_common.schemas.healing import EventKind, HealEvent
from buddy_watchdog.healing import Act, State
from buddy_watchdog.state_file import Incident, Remembered

_TOLD = frozenset({EventKind.DETECTED, EventKind.RECOVERED, EventKind.GAVE_UP})


def wall_clock() -> datetime:
    """Return the present as people know it; nothing is decided by it, since it may be set."""
    return datetime.now(UTC)


def with_incident(kept: Remembered, state: State, acts: Sequence[Act], now: datetime) -> Remembered:
    """Return what is remembered with the new state; an incident that ends makes way for one that begins."""
    incident, opened = kept.incident, kept.circuit_opened_at
    if Act.RECOVER in acts or Act.END in acts:
        incident = None
    if Act.BEGIN in acts:
        name = f"{now:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:8]}"
        incident = Incident(id=name, began=now, began_after_boot=state.since)
    if incident is not None:
        up_at = (incident.up_at or now) if state.fine_since is not None else None
        incident = incident.model_copy(update={"up_at": up_at})
    if state.circuit_open != (opened is not None):
        opened = now if state.circuit_open else None
    return kept.model_copy(update={"state": state, "incident": incident, "circuit_opened_at": opened})


def seconds_to_recover(incident: Incident, state: State, now: datetime) -> float:
    """Return how long it took until it was well; by the clock only where a reboot lies in between."""
    if incident.began_after_boot is not None and state.fine_since is not None:
        return round(state.fine_since - incident.began_after_boot, 1)
    return round(max(0.0, ((incident.up_at or now) - incident.began).total_seconds()), 1)


def news_in(events: Sequence[HealEvent], kept: Remembered) -> list[HealEvent]:
    """Return those that people are to be told of: each kind once per incident."""
    known = {(event.incident, event.kind) for event in kept.untold}
    if kept.incident is not None:
        known |= {(kept.incident.id, kind) for kind in kept.incident.told}
    return [event for event in events if event.kind in _TOLD and (event.incident, event.kind) not in known]


def after_telling(kept: Remembered, event: HealEvent) -> Remembered:
    """Return what is remembered once people were told of the event, as far as they can be."""
    untold = [other for other in kept.untold if other.id != event.id]
    incident = kept.incident
    if incident is not None and incident.id == event.incident:
        incident = incident.model_copy(update={"told": [*incident.told, event.kind]})
    return kept.model_copy(update={"untold": untold, "incident": incident})
