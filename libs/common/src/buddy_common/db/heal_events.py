"""What was done about gateways, event by event. Nothing here commits."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from buddy_common.db import heal_incidents
from buddy_common.db.insert import insert_new
from buddy_common.db.tables import HealEventRow
from buddy_common.schemas.heal_views import HealEventView
from buddy_common.schemas.healing import HealEvent
from buddy_common.schemas.verdicts import Verdict


def add(session: Session, events: Sequence[HealEvent]) -> None:
    """Write events in their order, and their incidents anew; those that are there already change nothing."""
    insert_new(session, HealEventRow, [event.model_dump() for event in events])
    for incident in dict.fromkeys(event.incident for event in events):
        heal_incidents.derive(session, incident)


def listing(
    session: Session,
    *,
    node: str,
    verdict: Verdict | None = None,
    incident: str | None = None,
    since: datetime | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[HealEventView]:
    """Return events, newest first; `before` is the `seq` of the last one seen."""
    seq = col(HealEventRow.seq)
    statement = select(HealEventRow).where(HealEventRow.node == node).order_by(seq.desc()).limit(limit)
    if verdict is not None:
        statement = statement.where(HealEventRow.verdict == verdict)
    if incident is not None:
        statement = statement.where(HealEventRow.incident == incident)
    if since is not None:
        statement = statement.where(HealEventRow.at >= since)
    if before is not None:
        statement = statement.where(seq < before)
    return [HealEventView.model_validate(row.model_dump()) for row in session.exec(statement).all()]
