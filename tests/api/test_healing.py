"""What the watchdog found and did, over HTTP."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api.changing import assert_refused, submitted, worker
from api.conftest import Api
from buddy_common.adapters.refresh_requests import ReadAnswer, RefreshRequests
from buddy_common.db import heal_events
from buddy_common.schemas.heal_views import ReportQuestion
from buddy_common.schemas.healing import (
    ActiveIncident,
    EventKind,
    HealEvent,
    Healing,
    HealingView,
    QuarantineEntry,
)
from buddy_common.schemas.resources import Resource
from buddy_common.schemas.tasks import TaskStatus
from buddy_common.schemas.verdicts import Verdict
from common.db.healing_rows import HISTORY, START, event

ENTRY = QuarantineEntry(
    id="q1", at=START, incident="i1", path=["plugins", "entries", "x"], reason="It is broken."
)
ROW = {"name": "i1.md", "size": 3, "updatedAt": "2026-03-28T10:00:00Z"}


async def write(api: Api, events: Sequence[HealEvent]) -> None:
    await api.wiring.database.run(lambda session: heal_events.add(session, events))


async def publish(api: Api, *, fresh_seconds: float = 30, **fields: Any) -> None:
    await api.wiring.read_model.put(
        "local",
        Resource.HEALING,
        HealingView(node="local", **fields),
        source="process",
        fresh_seconds=fresh_seconds,
    )


async def data(api: Api, path: str, **query: Any) -> Any:
    answer = await api.client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_events_are_newest_first_with_filters_and_pages(api: Api) -> None:
    await write(api, HISTORY)

    rows = await data(api, "/v1/heal/events", limit=2)
    assert [row["id"] for row in rows] == ["e5", "e4"]
    rest = await data(api, "/v1/heal/events", limit=2, before=rows[-1]["seq"])
    assert [row["id"] for row in rest] == ["e3", "e2"]
    found = await data(api, "/v1/heal/events", verdict="config_error", incident="i1")
    assert [row["id"] for row in found] == ["e4", "e3"]
    late = await data(api, "/v1/heal/events", since="2026-03-28T12:00:05+02:00")
    assert [row["id"] for row in late] == ["e5"]


async def test_an_event_has_all_that_was_written_down(api: Api) -> None:
    await write(api, HISTORY[:2])
    repair, detected = await data(api, "/v1/heal/events")

    assert (repair["repair"], repair["outcome"], repair["attempt"]) == ("restart", "done: it is up", 1)
    assert detected["evidence_before"] == {"pid": 7}
    assert (detected["seconds_to_detect"], detected["report"]) == (0.4, "i1.md")


async def test_incidents_that_go_on_are_told_from_those_that_are_over(api: Api) -> None:
    await write(api, [*HISTORY, event(9, EventKind.DETECTED, Verdict.HUNG, incident="i2")])

    (active,) = await data(api, "/v1/heal/incidents", active="true")
    (over,) = await data(api, "/v1/heal/incidents", active="false")
    assert (active["id"], active["state"], active["ended"]) == ("i2", "active", None)
    assert (over["id"], over["state"], over["attempts"]) == ("i1", "recovered", 2)
    rows = await data(api, "/v1/heal/incidents", limit=1)
    assert [row["id"] for row in rows] == ["i2"]
    rest = await data(api, "/v1/heal/incidents", before=rows[0]["began"])
    assert [row["id"] for row in rest] == ["i1"]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("events", {"verdict": "perhaps"}),
        ("events", {"limit": 0}),
        ("events", {"before": "x"}),
        ("events", {"since": "2026-03-28T10:00:00"}),
        ("events", {"since": "0001-01-01T00:00:00Z"}),
        ("events", {"incident": "a\x00b"}),
        ("incidents", {"active": "perhaps"}),
        ("incidents", {"before": "2026-03-28T10:00:00"}),
        ("reports", {"before": "../x.md"}),
        ("reports", {"limit": 1001}),
    ],
)
async def test_a_wrong_parameter_is_400_and_named(api: Api, path: str, query: dict[str, Any]) -> None:
    answer = await api.client.get(f"/v1/heal/{path}", params=query)

    assert answer.status_code == 400, answer.text
    assert next(iter(query)) in answer.json()["message"]


async def ask(api: Api, path: str, answer: ReadAnswer, **query: Any) -> tuple[httpx.Response, Any]:
    """Ask the api, and answer as the node's reader does."""
    requests = RefreshRequests(api.wiring.redis)
    asking = asyncio.create_task(api.client.get(f"/v1/heal/reports{path}", params=query))
    question = await requests.next_question("local")
    assert question is not None
    await requests.answer("local", question, answer)
    return await asking, question.reports


@pytest.mark.parametrize(
    ("path", "query", "answer", "question"),
    [
        ("", {}, {"reports": [ROW], "total": 1, "more": False}, {}),
        ("", {"limit": 5, "before": "i2.md"}, {"reports": [], "total": 1, "more": False},
         {"limit": 5, "before": "i2.md"}),
        ("/i1.md", {}, {**ROW, "content": "# 1"}, {"name": "i1.md"}),
    ],
)  # fmt: skip
async def test_what_the_node_says_of_reports_is_the_answer(
    api: Api, path: str, query: dict[str, Any], answer: dict[str, Any], question: dict[str, Any]
) -> None:
    response, asked = await ask(api, path, ReadAnswer(data=answer), **query)

    assert response.json() == {"code": 200, "message": "success", "data": answer}
    assert asked == ReportQuestion(**question)


async def test_an_unknown_report_is_404_and_named(api: Api) -> None:
    answer = ReadAnswer(error="unknown_report", message="…", data={"report": "i9.md"})
    response, _ = await ask(api, "/i9.md", answer)

    assert response.status_code == 404
    assert response.json()["data"] == {"error": "unknown_report", "report": "i9.md"}


async def test_a_failure_of_the_node_is_500_with_its_reason(api: Api) -> None:
    response, _ = await ask(api, "", ReadAnswer(error="new", message="Something new."))

    assert (response.status_code, response.json()["message"]) == (500, "Something new.")


@pytest.mark.parametrize("path", ["", "/i1.md"])
async def test_a_node_that_does_not_answer_is_504(
    api: Api, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(*_: Any, **__: Any) -> None:
        return None

    monkeypatch.setattr(api.wiring.requests, "ask", nobody)
    response = await api.client.get(f"/v1/heal/reports{path}")

    assert (response.status_code, response.json()["data"]["error"]) == (504, "reader_silent")


@pytest.mark.parametrize("name", ["a.txt", "..%2Fa.md", "-a.md", "a%00.md", "a.b.md"])
async def test_a_name_that_no_report_can_have_is_never_asked_for(api: Api, name: str) -> None:
    answer = await api.client.get(f"/v1/heal/reports/{name}")

    assert answer.status_code in {400, 404}
    requests = RefreshRequests(api.wiring.redis)
    assert await requests.next_question("local", seconds=0.05) is None


async def test_quarantine_is_what_the_watchdog_shows_and_has_no_values(api: Api) -> None:
    await publish(api, quarantine=[ENTRY])
    found = await data(api, "/v1/heal/quarantine")

    assert found == {
        "quarantine": [
            {
                "id": "q1",
                "at": "2026-03-28T10:00:00Z",
                "incident": "i1",
                "path": ["plugins", "entries", "x"],
                "reason": "It is broken.",
            }
        ],
        "stale": False,
    }


async def test_a_watchdog_that_says_nothing_any_more_is_told(api: Api) -> None:
    await publish(api, fresh_seconds=-1)

    assert (await data(api, "/v1/heal/quarantine"))["stale"] is True
    assert (await data(api, "/v1/settings/self-healing"))["stale"] is True


@pytest.mark.parametrize("path", ["/v1/heal/quarantine", "/v1/settings/self-healing"])
async def test_without_a_watchdog_it_is_503(api: Api, path: str) -> None:
    answer = await api.client.get(path)

    assert (answer.status_code, answer.json()["data"]["error"]) == (503, "not_reported")


async def test_what_the_watchdog_is_about_is_shown(api: Api) -> None:
    incident = ActiveIncident(id="i1", began=START, verdict=Verdict.HUNG, attempts=2)
    await publish(api, circuit_open_since=START, incident=incident, quarantine=[ENTRY])

    assert await data(api, "/v1/settings/self-healing") == {
        "mode": "on",
        "paused_until": None,
        "circuit_open_since": "2026-03-28T10:00:00Z",
        "incident": {"id": "i1", "began": "2026-03-28T10:00:00Z", "verdict": "hung", "attempts": 2},
        "quarantined": 1,
        "stale": False,
    }


@pytest.mark.parametrize(
    ("mode", "hours", "shown"),
    [
        (Healing.ON, None, "on"),
        (Healing.OFF, None, "off"),
        (Healing.ON, 1, "paused"),
        (Healing.ON, -1, "on"),
        (Healing.OFF, 1, "off"),
    ],
)
async def test_a_pause_is_over_when_its_time_has_come(
    api: Api, mode: Healing, hours: int | None, shown: str
) -> None:
    until = None if hours is None else datetime.now(UTC) + timedelta(hours=hours)
    await publish(api, mode=mode, paused_until=until)
    found = await data(api, "/v1/settings/self-healing")

    assert found["mode"] == shown
    assert (found["paused_until"] is not None) is (shown == "paused")


LATER = (datetime.now(UTC) + timedelta(hours=2)).replace(microsecond=0)


@pytest.mark.parametrize(
    ("body", "payload"),
    [
        ({"mode": "on"}, {"mode": "on", "paused_until": None}),
        ({"mode": "off"}, {"mode": "off", "paused_until": None}),
        (
            {"mode": "paused", "paused_until": LATER.isoformat()},
            {"mode": "on", "paused_until": LATER.isoformat().replace("+00:00", "Z")},
        ),
    ],
)
async def test_what_is_wanted_becomes_a_job(api: Api, body: dict[str, Any], payload: dict[str, Any]) -> None:
    row = await submitted(api, "POST", "/v1/settings/self-healing", body)

    assert (row.kind, row.payload) == ("buddy.heal.set", payload)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "mode"),
        ({"mode": "perhaps"}, "mode"),
        ({"mode": "paused"}, "paused_until"),
        ({"mode": "paused", "paused_until": "2020-01-01T00:00:00Z"}, "paused_until"),
        ({"mode": "paused", "paused_until": "2099-01-01T00:00:00"}, "paused_until"),
        ({"mode": "paused", "paused_until": "9999-12-31T23:59:59-12:00"}, "paused_until"),
        ({"mode": "on", "paused_until": "2099-01-01T00:00:00Z"}, "paused_until"),
    ],
)
async def test_a_wish_that_makes_no_sense_is_refused(api: Api, body: dict[str, Any], field: str) -> None:
    await assert_refused(api, await api.client.post("/v1/settings/self-healing", json=body), field)


@pytest.mark.parametrize(
    ("method", "path", "kind", "target", "message"),
    [
        ("POST", "/v1/heal/circuit/close", "buddy.heal.close", "circuit", "熔断已解除"),
        ("POST", "/v1/heal/quarantine/q1/release", "buddy.heal.release", "q1", "已从隔离区恢复"),
        ("DELETE", "/v1/heal/quarantine/q1", "buddy.heal.discard", "q1", "已从隔离区删除"),
        ("POST", "/v1/settings/alerts/test", "buddy.heal.alert", "alerts", "测试告警已发送"),
    ],
)
async def test_each_change_is_a_job_and_its_outcome_the_answer(
    api: Api, method: str, path: str, kind: str, target: str, message: str
) -> None:
    async with worker(api, result={"x": 1}):
        answer = await api.client.request(method, path)

    body = answer.json()
    assert (answer.status_code, body["data"]["message"], body["data"]["result"]) == (200, message, {"x": 1})
    row = await submitted(api, method, path)
    assert (row.kind, row.target, row.module) == (kind, target, "heal")


@pytest.mark.parametrize(
    ("code", "status"),
    [("unknown_quarantine", 404), ("place_taken", 409), ("config_undone", 502), ("alert_failed", 502),
     ("no_alerts", 400)],
)  # fmt: skip
async def test_a_failure_of_the_job_has_its_own_status(api: Api, code: str, status: int) -> None:
    async with worker(api, TaskStatus.FAILED, error="It failed.", error_code=code):
        answer = await api.client.post("/v1/heal/quarantine/q1/release")

    assert (answer.status_code, answer.json()["data"]["error"]) == (status, code)


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/heal/quarantine/-q/release"), ("DELETE", "/v1/heal/quarantine/-q")]
)
async def test_an_id_that_nothing_in_quarantine_can_have_is_400(api: Api, method: str, path: str) -> None:
    answer = await api.client.request(method, path)

    await assert_refused(api, answer, "entry_id")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/stats/health"),
        ("GET", "/v1/heal/events"),
        ("GET", "/v1/heal/incidents"),
        ("GET", "/v1/heal/reports"),
        ("GET", "/v1/heal/reports/i1.md"),
        ("GET", "/v1/heal/quarantine"),
        ("POST", "/v1/heal/quarantine/q1/release"),
        ("DELETE", "/v1/heal/quarantine/q1"),
        ("POST", "/v1/heal/circuit/close"),
        ("GET", "/v1/settings/self-healing"),
        ("POST", "/v1/settings/self-healing"),
        ("POST", "/v1/settings/alerts/test"),
    ],
)
async def test_a_stranger_gets_nothing(api: Api, method: str, path: str) -> None:
    assert (await api.stranger.request(method, path)).status_code == 401
