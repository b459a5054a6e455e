"""A config counts as good after the gateway was ready on it for a minute, and not before."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from buddy_common.adapters.config_history import ConfigHistory
from buddy_common.adapters.live_config import LiveConfig
from buddy_common.schemas.backups import BackupReason
from buddy_common.schemas.verdicts import Verdict
from buddy_watchdog.evidence import ConfigLook, Evidence
from buddy_watchdog.known_good import READY_SECONDS, KnownGood
from buddy_watchdog.memory import Memory, remember, with_the_past
from watchdog.looks import NEXT, alive


class Place:
    """A config, and what is kept of it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "openclaw.json"
        self.file.write_text("{}")
        self.live = LiveConfig(self.file)
        self.history = ConfigHistory(folder / "backups", keep=10)
        self.good = KnownGood(self.history, self.live)

    def look(self, at: float) -> Evidence:
        return replace(alive(at), config=ConfigLook(self.live.hash()))

    def kept(self) -> int:
        return sum(backup.reason is BackupReason.KNOWN_GOOD for backup in self.history.listing())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def consider(place: Place, at: float, verdict: Verdict = Verdict.READY, **more: object) -> str | None:
    evidence = replace(await asyncio.to_thread(place.look, at), **more)  # type: ignore[arg-type]
    return await place.good.consider(evidence, verdict)


async def test_a_minute_makes_it_good_and_it_is_kept_once(place: Place) -> None:
    for at in (0.0, 1.0, 1.0 + READY_SECONDS, 2.0 + READY_SECONDS, 500.0):
        await consider(place, at)

    assert await asyncio.to_thread(place.kept) == 1


@pytest.mark.parametrize(
    "between",
    [
        {"verdict": Verdict.CRASHED},
        {"process": NEXT},
        {"config_busy": True},
        {"config": ConfigLook("another")},
        {"config": ConfigLook("x", applied=False)},
    ],
)
async def test_whatever_comes_between_begins_the_minute_anew(
    place: Place, between: dict[str, object]
) -> None:
    await consider(place, 0.0)
    await consider(place, 30.0, **between)  # type: ignore[arg-type]
    await consider(place, READY_SECONDS + 1)

    assert await asyncio.to_thread(place.kept) == 0


async def test_a_watchdog_that_begins_anew_keeps_no_second_copy(place: Place) -> None:
    for _ in range(2):
        place.good = KnownGood(place.history, place.live)
        for at in (0.0, 1.0, 1.0 + READY_SECONDS):
            await consider(place, at)

    assert await asyncio.to_thread(place.kept) == 1


@pytest.mark.parametrize(("reloads", "kept"), [(False, 1), (True, 2)])
async def test_an_edit_that_a_gateway_leaves_until_its_restart_is_not_good(
    place: Place, *, reloads: bool, kept: int
) -> None:
    memory = Memory()

    async def ready(at: float) -> None:
        nonlocal memory
        look = await asyncio.to_thread(place.look, at)
        look = replace(look, config=replace(look.config, reloads=reloads))
        memory = remember(memory, look)
        await place.good.consider(with_the_past(look, memory), Verdict.READY)

    for at in (0.0, 1.0, 1.0 + READY_SECONDS):
        await ready(at)
    await asyncio.to_thread(place.file.write_text, '{"logging": {}}')
    for at in (100.0, 101.0, 101.0 + READY_SECONDS):
        await ready(at)

    assert await asyncio.to_thread(place.kept) == kept
