"""Incidents, each made of its events: made again of the same ones, it is the same. Nothing here commits."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from buddy_common.db.insert import put
from buddy_common.db.tables import HealEventRow, HealIncidentRow
from buddy_common.schemas.heal_views import IncidentView
from buddy_common.schemas.healing import EventKind, IncidentState

_FOUND = frozenset({EventKind.DETECTED, EventKind.CHANGED})
_STATES = {
    EventKind.DETECTED: IncidentState.ACTIVE,
    EventKind.CHANGED: IncidentState.ACTIVE,
    EventKind.REPAIR: IncidentState.ACTIVE,
    EventKind.GAVE_UP: IncidentState.GAVE_UP,
    EventKind.RECOVERED: IncidentState.RECOVERED,
    EventKind.ENDED: IncidentState.ENDED,
}
_ACTIVE = [state for state in IncidentState if state.is_active]


def derive(session: Session, incident: str) -> None:
    """Write the incident as its events tell it; one without events is none."""
    events = session.exec(
        select(HealEventRow).where(HealEventRow.incident == incident).order_by(col(HealEventRow.seq))
    ).all()
    if events:
        put(session, HealIncidentRow, _told_by(events).model_dump())


def listing(
    session: Session,
    *,
    node: str,
    active: bool | None = None,
    before: datetime | None = None,
    limit: int = 100,
) -> list[IncidentView]:
    """Return incidents, newest first; `before` is when the last one seen began."""
    began, state = col(HealIncidentRow.began), col(HealIncidentRow.state)
    statement = (
        select(HealIncidentRow)
        .where(HealIncidentRow.node == node)
        .order_by(began.desc(), col(HealIncidentRow.id).desc())
        .limit(limit)
    )
    if active is not None:
        statement = statement.where(state.in_(_ACTIVE) if active else state.not_in(_ACTIVE))
    if before is not None:
        statement = statement.where(began < before)
    return [IncidentView.model_validate(row.model_dump()) for row in session.exec(statement).all()]


def _told_by(events: Sequence[HealEventRow]) -> HealIncidentRow:
    first, last = events[0], events[-1]
    # the end of one names the verdict of a gateway that is well again
    found = next((event for event in reversed(events) if event.kind in _FOUND), first)
    state = IncidentState.ACTIVE
    for event in events:
        state = _next(state, EventKind(event.kind))
    return HealIncidentRow(
        id=first.incident,
        node=first.node,
        began=first.at,
        ended=None if state.is_active else last.at,
        verdict=found.verdict,
        reason=found.reason,
        attempts=max(event.attempt for event in events),
        state=state,
        seconds_to_detect=_last([event.seconds_to_detect for event in events]),
        seconds_to_recover=_last([event.seconds_to_recover for event in events]),
        report=next((event.report for event in reversed(events) if event.report), None),
    )


def _next(state: IncidentState, kind: EventKind) -> IncidentState:
    """A change of the verdict alone does not mean that repairs are made again."""
    gave_up = state is IncidentState.GAVE_UP and kind is EventKind.CHANGED
    return state if gave_up else _STATES[kind]


def _last(values: Sequence[float | None]) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)
