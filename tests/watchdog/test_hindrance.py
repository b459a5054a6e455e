"""While OpenClaw is being installed nothing is repaired, and all is afterwards."""

import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from buddy_common.schemas.healing import EventKind, Healing, SelfHealing
from buddy_watchdog import healing as healing_module
from buddy_watchdog import hindrance as hindrance_module
from buddy_watchdog import runner
from buddy_watchdog.evidence import Evidence
from buddy_watchdog.hindrance import hindrance
from buddy_watchdog.installs import ENDLESS_SECONDS, Install
from eventually import eventually
from watchdog.looks import gone
from watchdog.npm_install import NPM, npm_install
from watchdog.scene import Ward

pytestmark = pytest.mark.timeout(60)

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LOOKS = 4


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what takes seconds with the real one take moments here."""
    monkeypatch.setattr(healing_module, "FIRST_BACK_OFF_SECONDS", 0.05)
    monkeypatch.setattr(runner, "DOUBT_SECONDS", 0.1)


async def looks(ward: Ward, times: int) -> None:
    """Wait until the watchdog has looked so often again."""
    seen = set()

    async def count() -> int:
        snapshot = await ward.snapshot()
        seen.add(None if snapshot is None else snapshot.observed_at)
        return len(seen)

    await eventually(count, lambda number: number > times, seconds=20)


async def comes_to(ward: Ward, kind: EventKind) -> None:
    async def kinds() -> list[EventKind]:
        return ward.diary.kinds

    await eventually(kinds, lambda seen: kind in seen, seconds=20)


@pytest.fixture
def install(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real npm that installs OpenClaw all the time."""
    if NPM is None:
        pytest.skip("there is no npm here, and so no real install to wait for")
    folder = tmp_path / "install"
    folder.mkdir()
    with npm_install(folder) as process:
        yield process


async def test_a_gateway_that_dies_in_the_middle_of_a_real_install_is_started_after_it(
    ward: Ward, install: subprocess.Popen[bytes]
) -> None:
    pid = await ward.start()
    async with ward.watched(interval_seconds=0.2):
        await eventually(ward.snapshot, lambda seen: seen is not None and seen.probe.ready)
        os.kill(pid, signal.SIGKILL)
        await comes_to(ward, EventKind.DETECTED)
        await looks(ward, LOOKS)
        assert ward.diary.repairs == []
        os.killpg(install.pid, signal.SIGKILL)
        await comes_to(ward, EventKind.RECOVERED)

    assert ward.diary.repairs == ["restart"]
    why = (ward.diary.events[0].evidence_before or {})["no_repair_because"]
    assert "OpenClaw is being installed" in why


async def test_an_install_that_never_ends_holds_back_nothing_and_is_told(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = Install("npm install openclaw", 4711, ENDLESS_SECONDS)
    monkeypatch.setattr(hindrance_module, "running_install", lambda: endless)
    pid = await ward.start()
    async with ward.watched(interval_seconds=0.2):
        await eventually(ward.snapshot, lambda seen: seen is not None and seen.probe.ready)
        os.kill(pid, signal.SIGKILL)
        await comes_to(ward, EventKind.RECOVERED)

    assert ward.diary.repairs == ["restart"]
    assert any("pid 4711" in line and "30 minutes" in line for line in ward.diary.lines)


@pytest.mark.parametrize(
    ("wishes", "look", "reason"),
    [
        (SelfHealing(mode=Healing.OFF), gone(), "off, or paused"),
        (SelfHealing(), gone(lifecycle_busy=True), "A job"),
        (SelfHealing(), gone(config_busy=True), "A job"),
    ],
)
async def test_wishes_and_jobs_come_first(wishes: SelfHealing, look: Evidence, reason: str) -> None:
    found = await hindrance(look, wishes, NOW)
    assert found.reason is not None
    assert reason in found.reason
