"""The clock is set back while the real gateway is mended, by a watchdog in this process with our clock."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from buddy_common.adapters.host_plane import build_host_plane
from buddy_common.adapters.redis_client import open_redis
from buddy_common.schemas.healing import EventKind
from buddy_common.settings import GatewaySettings, HomeSettings, OpenClawSettings, WatchdogSettings
from buddy_watchdog.healing import Rules
from buddy_watchdog.runner import Runner
from buddy_watchdog.state_file import StateFile
from eventually import eventually
from faults.ledger import Row
from faults.ward import PATIENCE_SECONDS, Ward
from watchdog.diary import TestDiary
from watchdog.set_clock import SetClock

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

HOURS = -5.0


@pytest.fixture
def alone(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The pid of a gateway that no other watchdog repairs; its host plane is that of the system."""
    pid = ward.prepare()
    machine = ward.buddy.machine
    for name in ("BUDDY_HOME", "BUDDY_GATEWAY_PASS_ENV", "NODE_OPTIONS", "GATEWAY_TROUBLE"):
        monkeypatch.setenv(name, machine.environment[name])
    ward.system.heal(on=False)
    yield pid
    ward.system.heal(on=True)


@asynccontextmanager
async def watched(ward: Ward, clock: SetClock, file: Path) -> AsyncIterator[TestDiary]:
    """Watch the system's gateway from here."""
    openclaw, diary = ward.system.openclaw, TestDiary()
    host = await asyncio.to_thread(
        build_host_plane,
        open_redis(ward.buddy.machine.broker_url),
        home=HomeSettings(),
        gateway=GatewaySettings(config_dir=openclaw.config_dir),
        openclaw=OpenClawSettings(program=openclaw.program),
        watchdog=WatchdogSettings(),
    )
    runner = Runner(
        host,
        interval_seconds=10,
        diary=diary,
        store=host.quarantine,
        file=StateFile(file),
        rules=Rules(steady_seconds=3),
        clock=clock,
    )
    task = asyncio.create_task(runner.run_forever())
    try:
        yield diary
    finally:
        task.cancel()
        await asyncio.wait([task])
        await runner.close()


async def test_a_clock_that_is_set_back_in_mid_repair_costs_nothing(
    ward: Ward, alone: int, tmp_path: Path
) -> None:
    clock = SetClock()
    async with watched(ward, clock, tmp_path / "watchdog.json") as diary:

        async def kinds() -> list[EventKind]:
            return diary.kinds

        await eventually(lambda: asyncio.to_thread(ward.system.is_ready), bool, seconds=PATIENCE_SECONDS)
        await eventually(lambda: asyncio.to_thread(lambda: len(diary.checks)), bool, seconds=60)
        began = time.monotonic()
        os.kill(alone, signal.SIGKILL)
        await eventually(kinds, lambda seen: EventKind.DETECTED in seen, seconds=60)
        detected = time.monotonic() - began
        clock.set_by(HOURS)
        await eventually(kinds, lambda seen: EventKind.RECOVERED in seen, seconds=PATIENCE_SECONDS)

    assert diary.kinds == [EventKind.DETECTED, EventKind.REPAIR, EventKind.RECOVERED]
    first, _, last = diary.events
    assert last.at - first.at < timedelta(hours=HOURS / 2)
    assert last.seconds_to_recover is not None
    assert 0 < last.seconds_to_recover < PATIENCE_SECONDS
    ward.ledger.rows.append(
        Row(
            "SIGKILL, clock set back",
            first.verdict,
            ", ".join(map(str, diary.repairs)),
            detected,
            detected + last.seconds_to_recover,
        )
    )
