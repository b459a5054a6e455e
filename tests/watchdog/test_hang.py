"""A gateway that accepts connections and answers nobody is noticed, and replaced, by whoever looks."""

import asyncio
from pathlib import Path

import pytest

from buddy_common.adapters import gateway_probe
from buddy_common.schemas.healing import EventKind
from buddy_common.schemas.verdicts import Verdict
from buddy_watchdog import healing as healing_module
from buddy_watchdog import runner
from buddy_watchdog import verdict as verdict_module
from eventually import eventually
from watchdog.scene import Ward, is_up

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what takes seconds with the real one take moments here."""
    monkeypatch.setattr(gateway_probe, "PROBE_SECONDS", 0.5)
    monkeypatch.setattr(verdict_module, "SILENT_SECONDS", 0.8)
    monkeypatch.setattr(healing_module, "HUNG_SECONDS", 0.2)
    monkeypatch.setattr(runner, "DOUBT_SECONDS", 0.1)


async def hangs_when(ward: Ward, name: str) -> Path:
    """Let the next gateway answer nobody once a file is there, and return that file."""
    file = ward.fake.config_dir / name
    await asyncio.to_thread(ward.fake.configure, hang_when=str(file))
    return file


async def recovers(ward: Ward) -> None:
    async def kinds() -> list[EventKind]:
        return ward.diary.kinds

    await eventually(kinds, lambda seen: EventKind.RECOVERED in seen, seconds=30)


async def test_one_that_answers_nobody_any_more_is_ended_and_started_anew(ward: Ward) -> None:
    file = await hangs_when(ward, "hang")
    pid = await ward.start()
    async with ward.watched(interval_seconds=0.2):
        await is_up(ward)
        await asyncio.to_thread(ward.fake.configure)  # the next one does not
        await asyncio.to_thread(file.touch)
        await is_up(ward, instead_of=pid)
        await recovers(ward)

    assert Verdict.HUNG in [event.verdict for event in ward.diary.events]
    assert ward.diary.repairs == ["terminate and restart"]


async def test_a_watchdog_that_comes_later_knows_it_for_a_hang_all_the_same(ward: Ward) -> None:
    file = await hangs_when(ward, "hang")
    pid = await ward.start()
    async with ward.watched(interval_seconds=0.2):
        await is_up(ward)
    await asyncio.to_thread(ward.fake.configure)
    await asyncio.to_thread(file.touch)
    async with ward.watched(interval_seconds=0.2):
        await is_up(ward, instead_of=pid)
        await recovers(ward)

    assert ward.diary.kinds[0] is EventKind.DETECTED
    assert ward.diary.events[0].verdict is Verdict.HUNG
    assert ward.diary.repairs == ["terminate and restart"]
