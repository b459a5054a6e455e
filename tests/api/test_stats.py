"""Health over time, from a month of looks."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from api.conftest import Api
from buddy_common.db import health_checks
from buddy_common.schemas.verdicts import Verdict
from common.db.healing_rows import check
from fakes.month_of_health import MONTH_ROWS, fill


async def points(api: Api, **query: Any) -> list[dict[str, Any]]:
    answer = await api.client.get("/v1/stats/health", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


async def test_a_day_is_shown_by_default(api: Api) -> None:
    now = datetime.now(UTC)
    ages = {"old": timedelta(hours=30), "here": timedelta(hours=1)}
    checks = [check(0, id=name, at=now - age, verdict=Verdict.READY) for name, age in ages.items()]
    await api.wiring.database.run(lambda session: health_checks.add(session, checks))

    (point,) = await points(api)

    assert abs(datetime.fromisoformat(point["timestamp"]) - (now - ages["here"])) < timedelta(minutes=5)
    assert {name: point[name] for name in point if name != "timestamp"} == {
        "status": "ok",
        "response_time_ms": 4.0,
        "cpu_usage": 1.0,
        "memory_usage": 100.0,
        "event_loop_ms": 20.0,
    }


async def test_where_nothing_was_looked_at_there_is_nothing(api: Api) -> None:
    assert await points(api) == []


@pytest.mark.parametrize(
    "query", [{"hours": 0}, {"hours": 721}, {"hours": "x"}, {"points": 0}, {"points": 2001}]
)
async def test_a_wrong_parameter_is_400_and_named(api: Api, query: dict[str, Any]) -> None:
    answer = await api.client.get("/v1/stats/health", params=query)

    assert answer.status_code == 400
    assert next(iter(query)) in answer.json()["message"]


@pytest.mark.timeout(120)
async def test_a_month_of_260_000_looks_is_answered_from_few_rows_and_hides_no_trouble(api: Api) -> None:
    now = datetime.now(UTC)
    assert await api.wiring.database.run(lambda session: fill(session, now)) == MONTH_ROWS
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(api.wiring.database.engine, "before_cursor_execute", note)
    found = await points(api, hours=720, points=300)
    event.remove(api.wiring.database.engine, "before_cursor_execute", note)

    charts = [statement for statement in asked if "health_" in statement]
    assert len(charts) == 1
    assert "health_checks" not in charts[0]
    assert 290 <= len(found) <= 300
    # one look of a thousand hangs, each 10,000 s; a point is of 8,700 s
    hung = [point for point in found if point["status"] == "hung"]
    assert len(hung) == pytest.approx(260, abs=3)
    assert {point["status"] for point in found} == {"ok", "hung"}
