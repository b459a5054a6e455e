"""A clock that is set in the middle of an incident changes nothing but what stands beside the events."""

import os
import signal
from datetime import UTC, datetime, timedelta

import pytest

from buddy_common.schemas.healing import EventKind
from buddy_watchdog import healing as healing_module
from buddy_watchdog.healing import Phase, State
from buddy_watchdog.incidents import seconds_to_recover
from buddy_watchdog.state_file import Incident
from eventually import eventually
from watchdog.scene import Ward
from watchdog.set_clock import SetClock

pytestmark = pytest.mark.timeout(60)

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
WELL = State(phase=Phase.CALM, fine_since=130.0)


@pytest.mark.parametrize("hours", [-5.0, 5.0])
async def test_a_clock_that_is_set_in_an_incident_costs_no_repair_and_the_times_stay_true(
    ward: Ward, hours: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(healing_module, "FIRST_BACK_OFF_SECONDS", 0.05)
    clock = SetClock()
    pid = await ward.start()

    async def kinds() -> list[EventKind]:
        return ward.diary.kinds

    async with ward.watched(interval_seconds=0.2, clock=clock):
        await eventually(ward.snapshot, lambda seen: seen is not None and seen.pid == pid)
        os.kill(pid, signal.SIGKILL)
        await eventually(kinds, lambda seen: EventKind.DETECTED in seen, seconds=20)
        clock.set_by(hours)
        await eventually(kinds, lambda seen: EventKind.RECOVERED in seen, seconds=20)

    assert ward.diary.kinds == [EventKind.DETECTED, EventKind.REPAIR, EventKind.RECOVERED]
    last = ward.diary.events[-1]
    assert last.seconds_to_recover is not None
    assert 0 <= last.seconds_to_recover < 30
    assert abs(last.at - ward.diary.events[0].at) > timedelta(hours=4)


def test_the_time_to_recover_is_that_of_the_machine() -> None:
    incident = Incident(id="i1", began=NOON, began_after_boot=100.0)

    assert seconds_to_recover(incident, WELL, NOON - timedelta(hours=5)) == 30.0


@pytest.mark.parametrize(("hours", "seconds"), [(1, 3600.0), (-1, 0.0)])
def test_after_a_reboot_only_the_clock_knows_and_a_time_is_never_negative(hours: int, seconds: float) -> None:
    incident = Incident(id="i1", began=NOON)

    assert seconds_to_recover(incident, WELL, NOON + timedelta(hours=hours)) == seconds
