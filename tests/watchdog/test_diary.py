"""The diary of a node: everything goes where it belongs."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from buddy_common.adapters.alerts import Alerts, Delivery
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.quarantine import Quarantine
from buddy_common.db.engine import Database
from buddy_common.schemas.healing import EventKind, Healing, HealingView, Quarantined, SelfHealing
from buddy_common.schemas.resources import Resource
from buddy_common.schemas.verdicts import Verdict
from buddy_common.settings import AlertSettings
from buddy_watchdog.diary import NodeDiary
from buddy_watchdog.healer import Healer
from buddy_watchdog.record import Recorder
from common.db.healing_rows import HISTORY, START, check, event
from fakes.openclaw_program import FakeOpenClaw
from watchdog.scene import host_plane

SECRET = "sk-planted-secret-1234567890"


class HeardAlerts(Alerts):
    """Keeps what people would be told."""

    def __init__(self) -> None:
        super().__init__(AlertSettings())
        self.heard: list[tuple[str, str]] = []

    async def notify(self, title: str, body: str) -> list[Delivery]:
        self.heard.append((title, body))
        return []


@pytest.fixture
def host(redis_url: str, fake_openclaw: FakeOpenClaw) -> HostPlane:
    return host_plane(redis_url, fake_openclaw)


@pytest.fixture
def alerts() -> HeardAlerts:
    return HeardAlerts()


@pytest.fixture
async def diary(
    host: HostPlane, database: Database, alerts: HeardAlerts, tmp_path: Path
) -> AsyncIterator[NodeDiary]:
    recorder = Recorder(tmp_path / "record", database, node="local")
    diary = NodeDiary(host, recorder=recorder, wishes=host.self_healing, alerts=alerts)
    yield diary
    await diary.close()
    await host.close()


async def test_events_looks_and_reports_are_on_the_disk_of_the_node(
    diary: NodeDiary, host: HostPlane, tmp_path: Path
) -> None:
    assert await diary.report(HISTORY[0], lines=["a line"]) == "i1.md"
    await diary.event(HISTORY[0])
    await diary.check(check(0))

    _, text = await asyncio.to_thread(host.reports.get, "i1.md")
    assert "reason 1" in text
    files = await asyncio.to_thread(lambda: [path.name for path in (tmp_path / "record").glob("*.jsonl")])
    assert sorted(files) == ["checks-00000001.jsonl", "events-00000001.jsonl"]


async def test_people_are_told_what_was_done(diary: NodeDiary, alerts: HeardAlerts) -> None:
    for one in HISTORY[:2]:
        await diary.report(one, lines=[])
    await diary.tell(event(5, EventKind.RECOVERED, Verdict.READY, report="i1.md"))

    ((title, body),) = alerts.heard
    assert title == "[local] OpenClaw 已恢复 · recovered"
    assert "1 × restart: done: it is up" in body
    assert "报告 Report: i1.md" in body


async def test_what_the_operator_wants_is_read_each_time(diary: NodeDiary, host: HostPlane) -> None:
    assert await diary.wishes() == SelfHealing()
    await asyncio.to_thread(host.self_healing.write, SelfHealing(mode=Healing.OFF))

    assert (await diary.wishes()).mode is Healing.OFF


async def test_what_the_watchdog_is_about_is_shown_without_what_is_in_quarantine(
    diary: NodeDiary, host: HostPlane, tmp_path: Path
) -> None:
    store = Quarantine(tmp_path / "quarantine.json")
    kept = Quarantined(
        id="q1", at=START, incident="i1", path=["plugins", "entries", "x"], reason="broken", value=SECRET
    )
    await asyncio.to_thread(store.add, kept)
    healer = cast(
        "Healer",
        SimpleNamespace(
            incident=SimpleNamespace(id="i1", began=START),
            state=SimpleNamespace(verdict=Verdict.HUNG, attempts=2),
            circuit_opened_at=START,
        ),
    )
    until = datetime(2099, 1, 1, tzinfo=UTC)
    await diary.publish(healer, store, SelfHealing(paused_until=until))

    entry = await host.read_model.get("local", Resource.HEALING)
    assert entry is not None
    view = HealingView.model_validate_json(entry.data)
    assert SECRET not in entry.data
    assert [row.id for row in view.quarantine] == ["q1"]
    assert (view.circuit_open_since, view.paused_until) == (START, until)
    assert view.incident is not None
    assert (view.incident.id, view.incident.verdict, view.incident.attempts) == ("i1", Verdict.HUNG, 2)
