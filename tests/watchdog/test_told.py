"""People are told of each thing once; of what nobody was told before a watchdog ended, the next one tells."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import pytest

from buddy_common.schemas.healing import EventKind, HealEvent, Healing, SelfHealing
from buddy_common.schemas.verdicts import Verdict
from buddy_watchdog import healer as healer_module
from buddy_watchdog.incidents import after_telling, news_in
from buddy_watchdog.state_file import Incident, Remembered, StateFile
from eventually import eventually
from watchdog.diary import TestDiary
from watchdog.scene import Ward

pytestmark = pytest.mark.timeout(60)

NOW = datetime(2026, 1, 2, tzinfo=UTC)
KEPT = Remembered(boot="", incident=Incident(id="i", began=NOW))


def event(kind: EventKind, number: int = 0, incident: str = "i") -> HealEvent:
    return HealEvent(
        id=f"{kind}-{number}",
        incident=incident,
        node="local",
        at=NOW,
        kind=kind,
        verdict=Verdict.CRASHED,
        reason="It has ended.",
    )


FOUND, AGAIN = event(EventKind.DETECTED), event(EventKind.DETECTED, 1)


def test_people_are_told_of_a_detection_a_recovery_and_giving_up() -> None:
    told = news_in([event(kind) for kind in EventKind], KEPT)

    assert [news.kind for news in told] == [EventKind.DETECTED, EventKind.RECOVERED, EventKind.GAVE_UP]


def test_nobody_is_told_twice_of_the_same_whether_it_is_out_or_on_its_way() -> None:
    waiting = KEPT.model_copy(update={"untold": [FOUND]})

    assert news_in([AGAIN], waiting) == []
    assert news_in([AGAIN], after_telling(waiting, FOUND)) == []
    assert news_in([AGAIN.model_copy(update={"incident": "next"})], waiting) != []


def test_what_was_told_waits_no_more_and_what_was_not_does() -> None:
    gave_up = event(EventKind.GAVE_UP)
    kept = after_telling(KEPT.model_copy(update={"untold": [FOUND, gave_up]}), FOUND)

    assert kept.untold == [gave_up]
    assert kept.incident is not None
    assert kept.incident.told == [EventKind.DETECTED]


class Silent(TestDiary):
    """A diary whose alerts never get out."""

    def __init__(self) -> None:
        super().__init__()
        self.tries = asyncio.Event()

    async def tell(self, event: HealEvent) -> None:
        self.tries.set()
        await asyncio.Event().wait()


async def remembered(ward: Ward) -> Remembered:
    file = StateFile(ward.folder / "watchdog.json")
    return await asyncio.to_thread(file.load, now=0.0)


async def untold(ward: Ward) -> list[HealEvent]:
    return (await remembered(ward)).untold


def told_of(ward: Ward) -> Callable[[], Awaitable[list[EventKind]]]:
    async def kinds() -> list[EventKind]:
        return [event.kind for event in ward.diary.told]

    return kinds


async def test_an_alert_that_a_watchdog_took_with_it_is_sent_by_the_next_and_once(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(healer_module, "CLOSE_SECONDS", 0.0)
    silent = ward.diary = Silent()
    silent.wanted = SelfHealing(mode=Healing.OFF)
    pid = await ward.start()
    async with ward.watched(interval_seconds=0.2):
        await eventually(ward.snapshot, lambda seen: seen is not None and seen.probe.ready)
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(10):
            await silent.tries.wait()
    assert [event.kind for event in await untold(ward)] == [EventKind.DETECTED]

    ward.diary = TestDiary()
    async with ward.watched(interval_seconds=0.2):
        await eventually(told_of(ward), lambda kinds: EventKind.RECOVERED in kinds, seconds=20)
        await eventually(lambda: untold(ward), lambda waiting: not waiting)

    assert [event.kind for event in ward.diary.told] == [EventKind.DETECTED, EventKind.RECOVERED]
    async with ward.watched(interval_seconds=0.2):
        await eventually(ward.snapshot, lambda seen: seen is not None and seen.probe.ready)
    assert len(ward.diary.told) == 2


class Slow(TestDiary):
    """A diary whose reports of repairs take until they may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may_go_on = asyncio.Event(), asyncio.Event()

    async def report(self, event: HealEvent, *, lines: list[str], said: Sequence[str] = ()) -> str | None:
        if event.kind is EventKind.REPAIR:
            self.begun.set()
            await self.may_go_on.wait()
        return await super().report(event, lines=lines, said=said)


async def test_what_a_repair_owes_the_record_is_not_forgotten_for_a_look_meanwhile(ward: Ward) -> None:
    ward.diary = diary = Slow()
    pid = await ward.start()
    async with ward.watched(interval_seconds=0.1):
        await eventually(ward.snapshot, lambda seen: seen is not None and seen.probe.ready)
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(20):
            await diary.begun.wait()
        begun = datetime.now(UTC)
        await eventually(ward.snapshot, lambda seen: seen is not None and seen.observed_at > begun)
        owed = (await remembered(ward)).owed
        diary.may_go_on.set()

    assert EventKind.REPAIR in {event.kind for event in owed}
