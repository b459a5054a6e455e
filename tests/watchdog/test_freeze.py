"""A gateway that a signal has stopped goes on; one that is stopped again, or stays silent, is replaced."""

import asyncio
import os
import signal

import pytest

from buddy_common.schemas.gateway import GatewayState
from buddy_common.schemas.healing import EventKind, Healing, SelfHealing
from buddy_common.schemas.verdicts import Verdict
from buddy_watchdog import healing as healing_module
from buddy_watchdog import held_socket
from buddy_watchdog.process_end import wait_for_freeze
from buddy_watchdog.repairs import resume as resume_module
from eventually import eventually
from watchdog.scene import Ward, is_up

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what takes seconds with the real one take moments here."""
    monkeypatch.setattr(healing_module, "FIRST_BACK_OFF_SECONDS", 0.05)
    monkeypatch.setattr(healing_module, "FROZEN_SECONDS", 0.2)


async def has_seen(ward: Ward, kind: EventKind, times: int = 1) -> None:
    async def count() -> int:
        return ward.diary.kinds.count(kind)

    await eventually(count, lambda number: number >= times, seconds=20)


async def test_a_gateway_that_was_stopped_by_a_signal_goes_on_as_the_same_process(ward: Ward) -> None:
    pid = await ward.start()
    async with ward.watched(interval_seconds=0.2):
        await is_up(ward)
        os.kill(pid, signal.SIGSTOP)
        await has_seen(ward, EventKind.RECOVERED)
        assert await is_up(ward) == pid

    assert ward.diary.repairs == ["resume"]
    assert ward.diary.events[0].verdict is Verdict.HUNG


async def test_one_that_is_stopped_again_is_ended_and_started_anew(ward: Ward) -> None:
    pid = await ward.start()
    async with ward.watched(interval_seconds=0.2):
        await is_up(ward)
        os.kill(pid, signal.SIGSTOP)
        await has_seen(ward, EventKind.RECOVERED)
        os.kill(pid, signal.SIGSTOP)
        await has_seen(ward, EventKind.RECOVERED, times=2)
        assert await is_up(ward) != pid

    assert ward.diary.repairs == ["resume", "terminate and restart"]


async def test_one_that_stays_silent_after_it_was_told_to_go_on_is_replaced_in_the_same_repair(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume_module, "ANSWER_SECONDS", 0.0)
    pid = await ward.start()
    async with ward.watched(interval_seconds=0.2):
        await is_up(ward)
        os.kill(pid, signal.SIGSTOP)
        await has_seen(ward, EventKind.RECOVERED)
        assert await is_up(ward) != pid

    (repair,) = [event for event in ward.diary.events if event.kind is EventKind.REPAIR]
    assert repair.outcome is not None
    assert repair.outcome.startswith("done: SIGCONT did not help.")


async def test_one_that_an_operator_stops_in_a_pause_stays_stopped(ward: Ward) -> None:
    ward.diary.wanted = SelfHealing(mode=Healing.OFF)
    pid = await ward.start()
    async with ward.watched(interval_seconds=0.2):
        await is_up(ward)
        os.kill(pid, signal.SIGSTOP)
        await has_seen(ward, EventKind.DETECTED)
        await eventually(ward.snapshot, lambda seen: seen is not None and seen.state is GatewayState.HUNG)
    process = await ward.host.state.spawned()
    assert process is not None
    usage = await ward.host.gateway.usage(process)

    assert ward.diary.repairs == []
    assert usage is not None
    assert usage.stopped


async def test_a_freeze_is_seen_before_the_next_look_and_the_next_ping(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_socket, "PING_SECONDS", 600.0)
    ward.diary.wanted = SelfHealing(mode=Healing.OFF)
    pid = await ward.start()
    async with ward.watched():
        await is_up(ward)
        os.kill(pid, signal.SIGSTOP)
        await has_seen(ward, EventKind.DETECTED)  # within 20 s, where a look is due after 60


async def test_the_wait_for_a_freeze_ends_with_the_process_too() -> None:
    process = await asyncio.create_subprocess_exec("true")
    await process.wait()
    async with asyncio.timeout(5):
        await wait_for_freeze(process.pid)
