"""Reports are written with each event, whatever is wrong with the config, the log or the disk."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.reports import Reports
from buddy_common.schemas.backups import BackupReason
from buddy_common.schemas.healing import EventKind, HealEvent
from buddy_common.schemas.verdicts import Verdict
from buddy_watchdog import report as report_module
from buddy_watchdog.report import Reporter
from buddy_watchdog.tell import alert_text
from common.db.healing_rows import HISTORY, event
from fakes.openclaw_program import FakeOpenClaw
from watchdog.scene import host_plane

SECRET = "sk-proj-abcdefghij0123456789"


@pytest.fixture
def host(redis_url: str, fake_openclaw: FakeOpenClaw) -> HostPlane:
    return host_plane(redis_url, fake_openclaw)


@pytest.fixture
def reporter(host: HostPlane, tmp_path: Path) -> Reporter:
    return Reporter(host, tmp_path / "report.json")


async def written(host: HostPlane, name: str = "i1.md") -> str:
    _, text = await asyncio.to_thread(host.reports.get, name)
    return text


async def write_all(reporter: Reporter, events: list[HealEvent] = HISTORY) -> str | None:
    name = None
    for one in events:
        name = await reporter.report(one, lines=[f"line of {one.id}"])
    return name


async def test_a_report_grows_with_its_incident(host: HostPlane, reporter: Reporter) -> None:
    assert await reporter.report(HISTORY[0], lines=[]) == "i1.md"
    first = await written(host)
    assert await write_all(reporter, HISTORY[1:]) == "i1.md"
    text = await written(host)

    assert "reason 1" in first
    assert "reason 2" not in first
    assert all(f"reason {number}" in text for number in range(1, 6))
    assert "line of e2" in text
    assert [one.id for one in reporter.repairs("i1")] == ["e2", "e4"]


async def test_the_next_watchdog_goes_on_with_the_report(host: HostPlane, tmp_path: Path) -> None:
    await write_all(Reporter(host, tmp_path / "report.json"), HISTORY[:2])
    second = Reporter(host, tmp_path / "report.json")
    await second.report(HISTORY[1], lines=["again"])
    await second.report(HISTORY[4], lines=[])
    text = await written(host)

    assert "reason 1" in text
    assert text.count("**修复 Repair**") == 1
    assert "again" in text
    assert "reason 5" in text


async def test_another_incident_has_a_report_of_its_own(host: HostPlane, reporter: Reporter) -> None:
    await write_all(reporter)
    await reporter.report(event(9, EventKind.DETECTED, incident="i2"), lines=[])

    assert "reason 1" not in await written(host, "i2.md")
    assert "reason 9" not in await written(host, "i1.md")
    assert reporter.repairs("i1") == []


async def test_the_config_is_compared_with_the_newest_good_one_and_masked(
    host: HostPlane, reporter: Reporter, fake_openclaw: FakeOpenClaw
) -> None:
    def edit() -> None:
        file = fake_openclaw.config_file
        contents = host.live_config.read()
        host.history.add(contents["openclaw.json"], contents, reason=BackupReason.KNOWN_GOOD)
        text = file.read_text().rstrip().removesuffix("}").rstrip()
        comma = "," if text != "{" else ""
        file.write_text(f'{text}{comma} "note": "new", "apiKey": "{SECRET}" }}')

    await asyncio.to_thread(edit)
    await reporter.report(HISTORY[0], lines=[])
    text = await written(host)

    assert '+  "note": "new"' in text
    assert SECRET not in text


@pytest.mark.parametrize("content", ["{", '{"apiKey": "' + SECRET, ""])
async def test_a_config_that_cannot_be_read_is_no_reason_to_write_none(
    host: HostPlane, reporter: Reporter, fake_openclaw: FakeOpenClaw, content: str
) -> None:
    def spoil() -> None:
        contents = host.live_config.read()
        host.history.add(contents["openclaw.json"], contents, reason=BackupReason.KNOWN_GOOD)
        fake_openclaw.config_file.write_text(content)

    await asyncio.to_thread(spoil)

    assert await reporter.report(HISTORY[0], lines=[]) == "i1.md"
    assert SECRET not in await written(host)


async def test_the_last_lines_of_the_gateway_are_in_it_without_tokens(
    host: HostPlane, reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"line {number}" for number in range(300)] + [f"calling with {SECRET}"]

    async def log_lines(_position: int) -> tuple[list[str], int]:
        return lines, 0

    monkeypatch.setattr(host.gateway, "log_lines", log_lines)
    await reporter.report(HISTORY[0], lines=[])
    text = await written(host)

    assert "line 101\n" in text
    assert "line 100\n" not in text
    assert "calling with sk-…6789" in text
    assert SECRET not in text


async def test_where_it_cannot_be_written_the_healing_goes_on(host: HostPlane, tmp_path: Path) -> None:
    blocker = tmp_path / "blocker"
    await asyncio.to_thread(blocker.write_text, "")
    elsewhere = replace(host, reports=Reports(blocker / "reports"))

    assert await Reporter(elsewhere, tmp_path / "report.json").report(HISTORY[0], lines=[]) is None


async def test_a_log_that_does_not_answer_holds_nobody_up(
    host: HostPlane, reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silence(*_: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(host.gateway, "log_lines", silence)
    monkeypatch.setattr(report_module, "WRITE_SECONDS", 0.2)
    async with asyncio.timeout(5):
        assert await reporter.report(HISTORY[0], lines=[]) is None


async def test_of_an_endless_incident_the_beginning_and_the_end_are_kept(
    host: HostPlane, reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_module, "FIRST_ENTRIES", 2)
    monkeypatch.setattr(report_module, "LAST_ENTRIES", 3)
    await write_all(reporter, [event(number, EventKind.REPAIR, repair="restart") for number in range(10, 20)])
    text = await written(host)

    assert [number for number in range(10, 20) if f"reason {number}" in text] == [10, 11, 17, 18, 19]


async def test_the_crash_s_own_log_stays_beside_that_of_the_next_gateway(
    host: HostPlane, tmp_path: Path
) -> None:
    crash = [f"Error: boom with {SECRET}", "    at start (/x/index.js:1:1)"]
    await Reporter(host, tmp_path / "report.json").report(HISTORY[0], lines=[], said=crash)
    second = Reporter(host, tmp_path / "report.json")
    await second.report(HISTORY[1], lines=[], said=crash)
    await second.report(HISTORY[4], lines=[])
    text = await written(host)

    assert text.count("Error: boom with sk-…6789\n    at start (/x/index.js:1:1)") == 1
    assert SECRET not in text
    assert SECRET not in await asyncio.to_thread((tmp_path / "report.json").read_text)


async def test_what_a_gateway_said_that_hangs_outlives_its_end_by_a_repair(
    host: HostPlane, reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["it loops"]

    async def log_lines(_position: int) -> tuple[list[str], int]:
        return lines, 0

    monkeypatch.setattr(host.gateway, "log_lines", log_lines)
    await reporter.report(HISTORY[0], lines=[])
    lines = ["it starts"]
    await reporter.report(HISTORY[1], lines=[])
    text = await written(host)

    assert text.count("it loops") == text.count("it starts") == 1


async def test_the_call_that_puts_the_newest_good_config_back_can_be_copied(
    host: HostPlane, reporter: Reporter
) -> None:
    for content in (b"{}", b'{"logging": {}}'):
        good = await asyncio.to_thread(host.history.add, content, {}, reason=BackupReason.KNOWN_GOOD)
    await asyncio.to_thread(host.history.add, b"{1", {}, reason=BackupReason.BEFORE_REPAIR)
    broken = HISTORY[0].model_copy(update={"verdict": Verdict.CONFIG_BROKEN})
    await reporter.report(broken, lines=[])
    text = await written(host)
    _, alert = alert_text("local", broken, [], backup=await reporter.newest_good())

    for told in (text, alert):
        assert told.count(f"POST /v1/heal/backups/{good.name}/restore") == 2  # in both languages
        assert "{name}" not in told


async def test_of_many_crashes_the_first_and_the_latest_logs_are_kept(
    host: HostPlane, reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_module, "MOST_SAID", 3)
    monkeypatch.setattr(report_module, "SAID_LINES", 2)
    for number in range(10, 16):
        said = [f"old {number}", f"crash {number}", "the end"]
        await reporter.report(event(number, EventKind.REPAIR, repair="restart"), lines=[], said=said)
    text = await written(host)

    assert [number for number in range(10, 16) if f"crash {number}" in text] == [10, 14, 15]
    assert "old 1" not in text


async def test_what_the_newest_lines_have_is_not_shown_twice(
    host: HostPlane, reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def log_lines(_position: int) -> tuple[list[str], int]:
        return ["Error: boom", "it starts"], 0

    monkeypatch.setattr(host.gateway, "log_lines", log_lines)
    await reporter.report(HISTORY[0], lines=[], said=["Error: boom"])

    assert (await written(host)).count("Error: boom") == 1
