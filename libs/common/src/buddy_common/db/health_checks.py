"""Looks at gateways, and the same in five-minute rows, which charts of days are made of. None commits."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Float, case, cast, delete, func, literal
from sqlmodel import Session, col, select

from buddy_common.db.insert import insert_new, put
from buddy_common.db.tables import HealthCheckRow, HealthRollupRow
from buddy_common.schemas.heal_views import HealthPoint
from buddy_common.schemas.healing import HealthCheck
from buddy_common.schemas.verdicts import SEVERITY, Verdict

ROLLUP_MS = 5 * 60 * 1000
# below, single checks are read: 17,000 in two days, of which a chart shows a few hundred
RAW_HOURS = 48
_MB = 1024 * 1024
_OK = "ok"
# how many checks of a five-minute row each mean is of
_MEANS = {
    "response_ms": "answered",
    "event_loop_ms": "answered",
    "cpu_percent": "checks",
    "rss_bytes": "checks",
}


def add(session: Session, checks: Sequence[HealthCheck]) -> None:
    """Write checks, and their five minutes anew; those that are there already change nothing."""
    rows = [_row(check) for check in checks]
    insert_new(session, HealthCheckRow, rows)
    for node, at_ms in sorted({(row["node"], row["at_ms"] // ROLLUP_MS * ROLLUP_MS) for row in rows}):
        _roll_up(session, node, at_ms)


def series(session: Session, *, node: str, hours: int, points: int, now: datetime) -> list[HealthPoint]:
    """Return at most so many points of the last hours, oldest first; a stretch without checks has none."""
    width_ms = max(1, -(-hours * 3_600_000 // points))
    table: type[HealthCheckRow | HealthRollupRow] = HealthCheckRow
    if width_ms >= ROLLUP_MS or hours > RAW_HOURS:
        width_ms, table = -(-width_ms // ROLLUP_MS) * ROLLUP_MS, HealthRollupRow
    last = _ms(now) // width_ms
    first = last + 1 - min(points, -(-hours * 3_600_000 // width_ms))
    return _points(session, table, node=node, width_ms=width_ms, first=first, last=last)


def forget(session: Session, *, node: str, before: datetime, limit: int) -> int:
    """Delete up to so many of the node's oldest checks, whole five minutes only; return how many are gone.

    Their five minutes are written first, so that nothing is deleted that is not in them.
    """
    at_ms, end_ms = col(HealthCheckRow.at_ms), _ms(before) // ROLLUP_MS * ROLLUP_MS
    old = select(at_ms).where(HealthCheckRow.node == node, at_ms < end_ms).order_by(at_ms)
    oldest = session.exec(old.limit(limit)).all()
    if not oldest:
        return 0
    begin = oldest[0] // ROLLUP_MS * ROLLUP_MS
    # at least one stretch, even where it has more checks than the limit
    end = max(oldest[-1] // ROLLUP_MS * ROLLUP_MS, begin + ROLLUP_MS)
    if len(oldest) < limit:
        end = end_ms
    for start in sorted({value // ROLLUP_MS * ROLLUP_MS for value in oldest if value < end}):
        _roll_up(session, node, start)
    return _deleted(session, delete(HealthCheckRow).where(col(HealthCheckRow.node) == node, at_ms < end))


def forget_rollups(session: Session, *, node: str, before: datetime) -> int:
    """Delete the node's five-minute rows of before; return how many are gone."""
    table = HealthRollupRow
    return _deleted(session, delete(table).where(col(table.node) == node, col(table.at_ms) < _ms(before)))


def _roll_up(session: Session, node: str, start_ms: int) -> None:
    """Write five minutes as their checks have them; where some of those are deleted, it stays as it was."""
    table, at_ms = HealthCheckRow, col(HealthCheckRow.at_ms)
    means = (func.avg(cast(getattr(table, name), Float)) for name in _MEANS)
    found = session.execute(
        select(func.count(), func.count(col(table.response_ms)), _worst(table), *means).where(
            table.node == node, at_ms >= start_ms, at_ms < start_ms + ROLLUP_MS
        )
    ).one()
    checks, answered, worst, response, loop, cpu, rss = found
    if checks:
        row = {
            "node": node,
            "at_ms": start_ms,
            "checks": checks,
            "answered": answered,
            "verdict": SEVERITY[worst],
            "response_ms": response,
            "event_loop_ms": loop,
            "cpu_percent": cpu,
            "rss_bytes": int(rss),
        }
        put(session, HealthRollupRow, row, unless_less="checks")


def _points(
    session: Session,
    table: type[HealthCheckRow | HealthRollupRow],
    *,
    node: str,
    width_ms: int,
    first: int,
    last: int,
) -> list[HealthPoint]:
    at_ms = col(table.at_ms)
    stretch = at_ms // literal(width_ms)
    means = [_mean(table, name) for name in _MEANS]
    begin = at_ms if table is HealthCheckRow else stretch * literal(width_ms)
    rows = session.execute(
        select(func.min(begin), _worst(table), *means)
        .where(col(table.node) == node, at_ms >= first * width_ms, at_ms < (last + 1) * width_ms)
        .group_by(stretch)
        .order_by(func.min(at_ms))
    )
    return [_point(*row) for row in rows]


def _point(
    at_ms: int, worst: int, response: float | None, loop: float | None, cpu: float, rss: float
) -> HealthPoint:
    verdict = SEVERITY[worst]
    return HealthPoint(
        timestamp=datetime.fromtimestamp(at_ms / 1000, UTC),
        status=_OK if verdict is Verdict.READY else verdict,
        response_time_ms=None if response is None else round(response, 2),
        cpu_usage=round(cpu, 2),
        memory_usage=round(rss / _MB, 1),
        event_loop_ms=None if loop is None else round(loop, 2),
    )


def _worst(table: type[HealthCheckRow | HealthRollupRow]) -> ColumnElement[int]:
    """Return the place in `SEVERITY` of the worst verdict; one that is not known here is the worst."""
    places = {verdict: place for place, verdict in enumerate(SEVERITY)}
    return func.max(case(places, value=col(table.verdict), else_=len(SEVERITY) - 1))


def _mean(table: type[HealthCheckRow | HealthRollupRow], name: str) -> ColumnElement[Any]:
    column = cast(getattr(table, name), Float)
    if table is HealthCheckRow:
        return func.avg(column)
    weight = cast(getattr(table, _MEANS[name]), Float)
    counted = func.sum(case((column.is_not(None), weight), else_=0.0))
    return func.sum(column * weight) / func.nullif(counted, 0.0)


def _row(check: HealthCheck) -> dict[str, Any]:
    return {
        "node": check.node,
        "at_ms": _ms(check.at),
        "id": check.id,
        "state": check.state,
        "verdict": check.verdict,
        "response_ms": check.response_time_ms,
        "event_loop_ms": check.event_loop_ms,
        "cpu_percent": check.cpu_percent,
        "rss_bytes": check.rss_bytes,
        "disk_percent": check.disk_percent,
    }


def _deleted(session: Session, statement: Any) -> int:
    return int(session.execute(statement).rowcount)  # type: ignore[attr-defined]  # a CursorResult


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
