"""What the watchdog may do, and what it did, from a job's row to its outcome."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from buddy_common.adapters.alerts import Alerts, Delivery
from buddy_common.adapters.self_healing import SelfHealingFile
from buddy_common.errors import AlertFailedError, ConfigUndoneError
from buddy_common.schemas.healing import Healing, HealingView, Quarantined, SelfHealing
from buddy_common.schemas.healing_jobs import (
    CloseCircuitJob,
    DiscardQuarantineJob,
    ReleaseQuarantineJob,
    SendTestAlertJob,
    SetSelfHealingJob,
)
from buddy_common.schemas.job import Job
from buddy_common.schemas.resources import Resource
from buddy_common.schemas.tasks import TaskStatus, TaskView
from buddy_common.settings import AlertSettings
from buddy_worker.runner import execute
from buddy_worker.tasks import healing as tasks
from buddy_worker.usecases import release_quarantine as release_module
from buddy_worker.wiring import Wiring
from fakes.openclaw_program import FakeOpenClaw
from worker.queued import queue, view

NOW = datetime(2026, 3, 28, 10, tzinfo=UTC)
SECRET = "sk-planted-secret-1234567890"
HANDLERS: dict[type[Job], Any] = {
    SetSelfHealingJob: tasks._set,
    CloseCircuitJob: tasks._close,
    ReleaseQuarantineJob: tasks._release,
    DiscardQuarantineJob: tasks._discard,
    SendTestAlertJob: tasks._send,
}

pytestmark = pytest.mark.timeout(60)


async def run(w: Wiring, job: Job) -> TaskView:
    task_id = await queue(w, job)
    await execute(w, task_id, type(job), HANDLERS[type(job)])
    return await view(w, task_id)


async def shown(w: Wiring) -> HealingView:
    entry = await w.host.read_model.get("local", Resource.HEALING)
    assert entry is not None
    return HealingView.model_validate_json(entry.data)


async def wishes(w: Wiring) -> SelfHealing:
    return await asyncio.to_thread(w.host.self_healing.read)


async def keep(w: Wiring, *path: str, value: Any) -> Quarantined:
    entry = Quarantined(
        id="q1", at=NOW, incident="i1", path=list(path), reason="It does not load.", value=value
    )
    await asyncio.to_thread(w.host.quarantine.add, entry)
    return entry


async def kept(w: Wiring) -> list[str]:
    return [row.id for row in await asyncio.to_thread(w.host.quarantine.listing)]


async def config(fake: FakeOpenClaw) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await asyncio.to_thread(fake.config_file.read_text))
    return found


async def test_what_is_wanted_is_on_the_disk_and_shown_at_once(w: Wiring) -> None:
    task = await run(w, SetSelfHealingJob(mode=Healing.OFF, paused_until=NOW))

    assert task.status is TaskStatus.COMPLETED, task
    assert await wishes(w) == SelfHealing(mode=Healing.OFF, paused_until=NOW)
    view = await shown(w)
    assert (view.mode, view.paused_until) == (Healing.OFF, NOW)


async def test_to_switch_repairs_on_ends_a_pause_and_leaves_the_circuit(w: Wiring) -> None:
    await asyncio.to_thread(
        w.host.self_healing.write, SelfHealing(mode=Healing.OFF, paused_until=NOW, circuit_closed_at=NOW)
    )
    await run(w, SetSelfHealingJob(mode=Healing.ON))

    assert await wishes(w) == SelfHealing(circuit_closed_at=NOW)


async def test_a_circuit_is_closed_for_the_watchdog_and_for_who_looks(w: Wiring) -> None:
    opened = datetime.now(UTC) - timedelta(minutes=5)
    view = HealingView(node="local", circuit_open_since=opened)
    await w.host.read_model.put("local", Resource.HEALING, view, source="process", fresh_seconds=30)
    await asyncio.to_thread(w.host.self_healing.write, SelfHealing(mode=Healing.OFF))
    task = await run(w, CloseCircuitJob())

    assert task.status is TaskStatus.COMPLETED, task
    found = await wishes(w)
    assert found.closes_circuit(opened)
    assert found.mode is Healing.OFF
    assert (await shown(w)).circuit_open_since is None


async def test_a_disk_that_cannot_be_written_is_told(w: Wiring, monkeypatch: pytest.MonkeyPatch) -> None:
    blocker = w.host.home / "blocker"
    await asyncio.to_thread(blocker.parent.mkdir, parents=True, exist_ok=True)
    await asyncio.to_thread(blocker.write_text, "")
    monkeypatch.setattr(w.host.self_healing, "change", SelfHealingFile(blocker / "x.json").change)
    task = await run(w, SetSelfHealingJob(mode=Healing.OFF))

    assert (task.status, task.errorCode) == (TaskStatus.FAILED, "state_unwritable")


async def test_an_entry_goes_back_to_where_it_was(w: Wiring, fake_openclaw: FakeOpenClaw) -> None:
    value = {"enabled": True, "apiKey": SECRET}
    await keep(w, "plugins", "entries", "weather", value=value)
    task = await run(w, ReleaseQuarantineJob(id="q1"))

    assert task.status is TaskStatus.COMPLETED, task
    assert (await config(fake_openclaw))["plugins"]["entries"]["weather"] == value
    assert await kept(w) == []
    assert (await shown(w)).quarantine == []
    assert task.result is not None
    assert task.result["applied"] == "next start"
    assert SECRET not in task.model_dump_json()


async def test_an_entry_that_openclaw_refuses_stays_in_quarantine(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    before = await config(fake_openclaw)
    await keep(w, "plugins", "entries", "ghost", value={"enabled": True})
    task = await run(w, ReleaseQuarantineJob(id="q1"))

    assert (task.status, task.errorCode) == (TaskStatus.FAILED, "config_rejected")
    assert await config(fake_openclaw) == before
    assert await kept(w) == ["q1"]


async def test_an_entry_that_the_gateway_does_not_come_up_with_stays_in_quarantine(
    w: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def undone(*_: Any, **__: Any) -> None:
        raise ConfigUndoneError("It did not come up.")

    monkeypatch.setattr(release_module, "change_config", undone)
    await keep(w, "plugins", "entries", "weather", value={"enabled": True})
    task = await run(w, ReleaseQuarantineJob(id="q1"))

    assert (task.status, task.errorCode) == (TaskStatus.FAILED, "config_undone")
    assert await kept(w) == ["q1"]


@pytest.mark.parametrize(
    "there",
    [
        {"plugins": {"entries": {"weather": {"enabled": False}}}},
        {"plugins": {"entries": "something else"}},
        {"plugins": ["no object"]},
    ],
)
async def test_a_place_that_is_taken_by_now_is_left_alone(
    w: Wiring, fake_openclaw: FakeOpenClaw, there: dict[str, Any]
) -> None:
    before = await config(fake_openclaw) | there
    await asyncio.to_thread(fake_openclaw.config_file.write_text, json.dumps(before))
    await keep(w, "plugins", "entries", "weather", value={"enabled": True})
    task = await run(w, ReleaseQuarantineJob(id="q1"))

    assert (task.status, task.errorCode) == (TaskStatus.FAILED, "place_taken"), task
    assert await config(fake_openclaw) == before
    assert await kept(w) == ["q1"]


async def test_an_entry_that_is_back_already_leaves_quarantine(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    there = {"plugins": {"entries": {"weather": {"enabled": True}}}}
    before = await config(fake_openclaw) | there
    await asyncio.to_thread(fake_openclaw.config_file.write_text, json.dumps(before))
    await keep(w, "plugins", "entries", "weather", value={"enabled": True})
    task = await run(w, ReleaseQuarantineJob(id="q1"))

    assert task.status is TaskStatus.COMPLETED, task
    assert await config(fake_openclaw) == before
    assert await kept(w) == []


async def test_an_unknown_entry_is_told(w: Wiring) -> None:
    task = await run(w, ReleaseQuarantineJob(id="q1"))

    assert (task.status, task.errorCode) == (TaskStatus.FAILED, "unknown_quarantine")


async def test_an_entry_that_is_discarded_is_forgotten_and_the_config_left_as_it_is(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    before = await config(fake_openclaw)
    await keep(w, "plugins", "entries", "weather", value={"apiKey": SECRET})
    task = await run(w, DiscardQuarantineJob(id="q1"))

    assert task.status is TaskStatus.COMPLETED, task
    assert task.result == {"id": "q1", "path": "plugins.entries.weather"}
    assert SECRET not in task.model_dump_json()
    assert await kept(w) == []
    assert (await shown(w)).quarantine == []
    assert await config(fake_openclaw) == before


async def test_an_unknown_entry_is_not_discarded_and_the_others_stay(w: Wiring) -> None:
    await keep(w, "plugins", "entries", "weather", value={})
    task = await run(w, DiscardQuarantineJob(id="q2"))

    assert (task.status, task.errorCode) == (TaskStatus.FAILED, "unknown_quarantine")
    assert await kept(w) == ["q1"]


async def test_where_nobody_is_to_be_told_a_test_alert_says_so(w: Wiring) -> None:
    task = await run(w, SendTestAlertJob())

    assert (task.status, task.errorCode) == (TaskStatus.FAILED, "no_alerts")


class SaidAlerts(Alerts):
    """Answers as it is told to."""

    def __init__(self, *deliveries: Delivery) -> None:
        super().__init__(AlertSettings())
        self.deliveries = list(deliveries)
        self.titles: list[str] = []

    async def notify(self, title: str, body: str) -> list[Delivery]:
        del body
        self.titles.append(title)
        return self.deliveries


async def test_a_test_alert_says_of_each_address_that_it_was_reached() -> None:
    alerts = SaidAlerts(Delivery("#1 JSON", ok=True), Delivery("#2 Feishu", ok=True))
    sent = await tasks.send_test_alert("vps-1", alerts)

    assert [(row.target, row.ok) for row in sent.deliveries] == [("#1 JSON", True), ("#2 Feishu", True)]
    assert alerts.titles == ["[vps-1] OpenClaw Buddy 测试告警 · test alert"]


async def test_a_test_alert_that_did_not_reach_all_has_failed_and_says_whom() -> None:
    alerts = SaidAlerts(Delivery("#1 JSON", ok=True), Delivery("#2 Feishu", ok=False, problem="status 400"))

    with pytest.raises(AlertFailedError, match="#2 Feishu") as failed:
        await tasks.send_test_alert("local", alerts)
    assert failed.value.detail["deliveries"] == [
        {"target": "#1 JSON", "ok": True, "problem": None},
        {"target": "#2 Feishu", "ok": False, "problem": "status 400"},
    ]
