"""Looks at gateways: kept once, shown in few points, rolled up before they are deleted."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlmodel import Session, select

from buddy_common.db import health_checks
from buddy_common.db.engine import Database
from buddy_common.db.tables import HealthCheckRow, HealthRollupRow
from buddy_common.schemas.heal_views import HealthPoint
from buddy_common.schemas.healing import HealthCheck
from buddy_common.schemas.verdicts import SEVERITY, Verdict
from common.db.healing_rows import NODE, START, check

DAY = timedelta(days=1)


def write(database: Database, checks: Sequence[HealthCheck]) -> None:
    database.call(lambda session: health_checks.add(session, checks))


def points(
    database: Database, *, hours: int, points: int, seconds: float, node: str = NODE
) -> list[HealthPoint]:
    now = START + timedelta(seconds=seconds)
    return database.call(
        lambda session: health_checks.series(session, node=node, hours=hours, points=points, now=now)
    )


def rollups(session: Session) -> list[tuple[int, str, int]]:
    rows = session.exec(select(HealthRollupRow).order_by(HealthRollupRow.at_ms)).all()  # type: ignore[arg-type]  # SQLModel types columns by their value
    return [(row.at_ms, row.verdict, row.checks) for row in rows]


def checks_kept(database: Database) -> int:
    return database.call(lambda session: len(session.exec(select(HealthCheckRow)).all()))


def test_all_verdicts_have_a_severity() -> None:
    assert sorted(SEVERITY) == sorted(Verdict)


def test_each_check_is_a_point_where_there_are_few(database: Database) -> None:
    write(
        database, [check(0), check(10, Verdict.CRASHED, response_time_ms=None, event_loop_ms=None), check(20)]
    )

    found = points(database, hours=1, points=720, seconds=30)

    assert [point.status for point in found] == ["ok", "crashed", "ok"]
    assert [point.timestamp for point in found] == [START + timedelta(seconds=s) for s in (0, 10, 20)]
    assert found[1].response_time_ms is None
    assert found[0].model_dump(exclude={"timestamp"}) == {
        "status": "ok",
        "response_time_ms": 4.0,
        "cpu_usage": 1.0,
        "memory_usage": 100.0,
        "event_loop_ms": 20.0,
    }


@pytest.mark.parametrize(("hours", "count"), [(1, 4), (24, 24), (720, 100)])
def test_a_stretch_shows_its_worst_status(database: Database, hours: int, count: int) -> None:
    verdicts = [Verdict.READY] * 5 + [Verdict.HUNG, Verdict.DEGRADED] + [Verdict.READY] * 3
    write(database, [check(10.0 * number, verdict) for number, verdict in enumerate(verdicts)])

    found = points(database, hours=hours, points=count, seconds=100)

    assert [point.status for point in found] == ["hung"]


def test_means_count_checks_alike_and_silence_not_at_all(database: Database) -> None:
    first = [check(10.0 * number, response_time_ms=1.0, cpu_percent=1.0) for number in range(9)]
    later = [check(400, response_time_ms=11.0, cpu_percent=11.0), check(410, response_time_ms=None)]
    write(database, [*first, *later])

    (point,) = points(database, hours=720, points=60, seconds=500)

    assert point.response_time_ms == 2.0
    assert point.cpu_usage == round((9 + 11 + 1) / 11, 2)


@pytest.mark.parametrize(
    ("hours", "count"), [(1, 2), (1, 2000), (24, 288), (72, 2000), (720, 7), (720, 2000)]
)
def test_there_are_never_more_points_than_asked_for(database: Database, hours: int, count: int) -> None:
    write(database, [check(seconds) for seconds in range(0, 7 * 86400, 600)])

    found = points(database, hours=hours, points=count, seconds=7 * 86400)

    assert 0 < len(found) <= count
    assert sorted(found, key=lambda point: point.timestamp) == found


def test_what_is_older_than_asked_for_is_not_there(database: Database) -> None:
    write(database, [check(0), check(3 * 3600)])

    (point,) = points(database, hours=1, points=60, seconds=3 * 3600 + 5)

    assert point.timestamp == START + timedelta(hours=3)


def test_a_check_that_comes_again_changes_nothing(database: Database) -> None:
    write(database, [check(0), check(10, Verdict.HUNG)])
    before = database.call(rollups)
    write(database, [check(10, Verdict.HUNG), check(0)])

    assert database.call(rollups) == before
    assert checks_kept(database) == 2


def test_nodes_have_their_own_checks(database: Database) -> None:
    write(database, [check(0), check(0, Verdict.HUNG, node="other", id="o")])

    assert [point.status for point in points(database, hours=1, points=60, seconds=5)] == ["ok"]
    other = points(database, hours=720, points=60, seconds=5, node="other")
    assert [point.status for point in other] == ["hung"]


def test_old_checks_go_in_small_batches_and_stay_in_the_rollup(database: Database) -> None:
    write(database, [check(seconds, Verdict.HUNG) for seconds in range(0, 3600, 10)])
    write(database, [check(2 * 86400.0)])
    before = database.call(rollups)
    gone = []
    while count := database.call(
        lambda session: health_checks.forget(session, node=NODE, before=START + DAY, limit=100)
    ):
        gone.append(count)

    assert sum(gone) == 360
    assert max(gone) <= 100
    assert checks_kept(database) == 1
    assert database.call(rollups) == before
    late = points(database, hours=720, points=1000, seconds=2 * 86400 + 5)
    assert [point.status for point in late] == ["hung", "hung", "ok"]


def test_checks_that_are_in_no_rollup_are_rolled_up_before_they_go(database: Database) -> None:
    write(database, [check(0, Verdict.HUNG), check(10)])

    def lose(session: Session) -> None:
        for row in session.exec(select(HealthRollupRow)).all():
            session.delete(row)

    before = database.call(rollups)
    database.call(lose)
    database.call(lambda session: health_checks.forget(session, node=NODE, before=START + DAY, limit=100))

    assert database.call(rollups) == before


def test_a_late_check_does_not_spoil_five_minutes_whose_checks_are_gone(database: Database) -> None:
    write(database, [check(0, Verdict.HUNG), check(10)])
    before = database.call(rollups)
    database.call(lambda session: health_checks.forget(session, node=NODE, before=START + DAY, limit=100))
    write(database, [check(10)])

    assert database.call(rollups) == before


def test_the_five_minutes_that_still_go_on_are_not_deleted(database: Database) -> None:
    write(database, [check(0), check(200)])
    before = START + timedelta(seconds=100)

    assert not database.call(
        lambda session: health_checks.forget(session, node=NODE, before=before, limit=100)
    )
    assert checks_kept(database) == 2


def test_rollups_of_before_are_deleted(database: Database) -> None:
    write(database, [check(0), check(86400)])
    gone = database.call(
        lambda session: health_checks.forget_rollups(session, node=NODE, before=START + timedelta(hours=1))
    )

    assert gone == 1
    assert len(database.call(rollups)) == 1
