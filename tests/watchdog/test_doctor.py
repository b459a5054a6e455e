"""OpenClaw's doctor is asked once, after a repair, and never holds one up."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.db.engine import Database
from buddy_common.schemas.healing import EventKind
from buddy_watchdog import doctor as doctor_module
from buddy_watchdog.diary import NodeDiary
from buddy_watchdog.doctor import Doctor
from buddy_watchdog.record import Recorder
from common.db.healing_rows import event
from eventually import eventually
from fakes.openclaw_program import FakeOpenClaw
from watchdog.scene import host_plane
from watchdog.test_diary import HeardAlerts

pytestmark = pytest.mark.timeout(30)

SECRET = "sk-proj-abcdefghij0123456789"
DETECTED = event(1, EventKind.DETECTED)
HELPED = event(2, EventKind.REPAIR, repair="restart", outcome="done: it is up", attempt=1)
HELPED_AGAIN = event(3, EventKind.REPAIR, repair="restart", outcome="done: it is up", attempt=2)
FAILED = event(4, EventKind.REPAIR, repair="restart", outcome="failed: it died", attempt=2)
GAVE_UP = event(5, EventKind.GAVE_UP, attempt=5)


@pytest.fixture
async def host(redis_url: str, fake_openclaw: FakeOpenClaw) -> AsyncIterator[HostPlane]:
    host = await asyncio.to_thread(host_plane, redis_url, fake_openclaw)
    yield host
    await host.close()


@pytest.fixture
async def diary(host: HostPlane, database: Database, tmp_path: Path) -> AsyncIterator[NodeDiary]:
    recorder = Recorder(tmp_path / "record", database, node="local")
    diary = NodeDiary(host, recorder=recorder, wishes=host.self_healing, alerts=HeardAlerts())
    yield diary
    await diary.close()


async def says(fake: FakeOpenClaw, *lines: str) -> None:
    """Let the doctor say this."""

    def write() -> None:
        config = json.loads(fake.config_file.read_text())
        config["fake"] = {**config.get("fake", {}), "doctor": list(lines)}
        fake.config_file.write_text(json.dumps(config))

    await asyncio.to_thread(write)


async def asked(fake: FakeOpenClaw) -> int:
    """Return how often the doctor was asked."""

    def count() -> int:
        file = fake.config_dir / "processes.log"
        lines: list[list[Any]] = [json.loads(line) for line in file.read_text().splitlines()]
        return [what for what, *_ in lines].count("doctor")

    try:
        return await asyncio.to_thread(count)
    except FileNotFoundError:
        return 0


async def report_has(host: HostPlane, text: str) -> None:
    async def read() -> str:
        _, content = await asyncio.to_thread(host.reports.get, "i1.md")
        return content

    await eventually(read, lambda content: text in content, seconds=15)


async def test_what_it_finds_comes_back_without_secrets(host: HostPlane, fake_openclaw: FakeOpenClaw) -> None:
    await says(fake_openclaw, "doctor --lint: ran 6 check(s), 1 finding(s)", "", f"  key {SECRET}")
    found = await Doctor(host).look()

    assert found[0] == "doctor --lint: ran 6 check(s), 1 finding(s)"
    assert len(found) == 2
    assert SECRET not in found[1]


async def test_its_json_is_made_readable(host: HostPlane, fake_openclaw: FakeOpenClaw) -> None:
    row = {"checkId": "core/x", "severity": "warning", "message": "it is ill", "path": "gateway.bind"}
    await says(fake_openclaw, json.dumps({"ok": False, "checksRun": 35, "findings": [row]}))

    assert await Doctor(host).look() == [
        "doctor --lint: ran 35 check(s), 1 finding(s)",
        "[warning] core/x gateway.bind: it is ill",
    ]


async def test_one_that_takes_too_long_is_ended(
    host: HostPlane, fake_openclaw: FakeOpenClaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_module, "DOCTOR_SECONDS", 2.0)
    await says(fake_openclaw, "it waits")

    assert (await Doctor(host).look())[-1] == "It was not done after 2 s, and was ended."


async def test_the_older_openclaw_is_not_asked_for_it_would_write(
    host: HostPlane, fake_openclaw: FakeOpenClaw
) -> None:
    await asyncio.to_thread(fake_openclaw.program.with_name("version").write_text, "2026.3.28")

    assert await Doctor(host).look() == ["OpenClaw 2026.3.28 has no check that only looks; a newer one has."]
    assert await asked(fake_openclaw) == 0


async def test_its_word_is_in_the_report_once_however_many_repairs_come(
    diary: NodeDiary, host: HostPlane, fake_openclaw: FakeOpenClaw
) -> None:
    await says(fake_openclaw, "[warning] it looks ill")
    await diary.report(DETECTED, lines=[])
    assert await asked(fake_openclaw) == 0
    await diary.report(HELPED, lines=[])
    await report_has(host, "[warning] it looks ill")
    await diary.report(HELPED_AGAIN, lines=[])
    await report_has(host, "reason 3")
    await diary.close()

    assert await asked(fake_openclaw) == 1


async def test_it_is_asked_when_all_repairs_failed_and_not_in_between(
    diary: NodeDiary, host: HostPlane, fake_openclaw: FakeOpenClaw
) -> None:
    await says(fake_openclaw, "[error] no way")
    await diary.report(DETECTED, lines=[])
    await diary.report(FAILED, lines=[])
    assert await asked(fake_openclaw) == 0

    await diary.report(GAVE_UP, lines=[])

    await report_has(host, "[error] no way")


async def test_a_repair_sends_it_away_and_it_is_asked_again_afterwards(
    diary: NodeDiary, host: HostPlane, fake_openclaw: FakeOpenClaw
) -> None:
    await says(fake_openclaw, "it waits")
    await diary.report(DETECTED, lines=[])
    await diary.report(HELPED, lines=[])
    await eventually(lambda: asked(fake_openclaw), lambda times: times == 1, seconds=15)
    async with asyncio.timeout(1):
        await diary.make_way()
    await says(fake_openclaw, "[warning] now it is quick")

    await diary.report(HELPED_AGAIN, lines=[])

    await report_has(host, "[warning] now it is quick")
