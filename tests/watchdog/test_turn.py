"""Jobs that follow each other do not keep a repair out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from buddy_common.adapters.node_locks import NodeLocks
from buddy_common.errors import StateUnwritableError
from buddy_common.schemas.gateway import Desired
from buddy_common.schemas.healing import EventKind
from buddy_common.schemas.job import NodeLock
from buddy_watchdog import healing as healing_module
from buddy_watchdog import turn as module
from buddy_watchdog.evidence import Evidence
from buddy_watchdog.turn import GONE_SECONDS, Turn
from eventually import eventually
from watchdog.looks import alive, gone
from watchdog.scene import Ward

BOTH = frozenset({NodeLock.LIFECYCLE, NodeLock.CONFIG})


@pytest.fixture
def locks(tmp_path: Path) -> NodeLocks:
    return NodeLocks(tmp_path / "state")


async def may_begin(locks: NodeLocks) -> bool:
    return await asyncio.to_thread(locks.are_free_for_job, BOTH)


async def test_a_job_begins_as_long_as_the_gateway_has_not_been_gone_for_long(locks: NodeLocks) -> None:
    turn = Turn(locks)
    for at in (0.0, GONE_SECONDS - 0.1):
        await turn.consider(gone(at, config_busy=True), may_repair=True)

    assert await may_begin(locks)


async def test_no_job_begins_once_a_job_was_in_the_way_of_a_repair_for_a_while(locks: NodeLocks) -> None:
    turn = Turn(locks)
    for at in (0.0, GONE_SECONDS):
        await turn.consider(gone(at, lifecycle_busy=True), may_repair=True)

    assert not await may_begin(locks)
    assert await asyncio.to_thread(locks.are_free, BOTH)  # for the repair itself
    assert await asyncio.to_thread(locks.are_free_for_job, {NodeLock.WECHAT})

    turn.leave()
    assert await may_begin(locks)


@pytest.mark.parametrize(
    ("then", "may_repair"),
    [
        (alive(30, config_busy=True), True),
        (gone(30), True),  # nobody is in the way
        (gone(30, config_busy=True), False),  # stopped on purpose, paused, given up
    ],
)
async def test_the_place_is_left_when_it_is_not_wanted_any_more(
    locks: NodeLocks, then: Evidence, *, may_repair: bool
) -> None:
    turn = Turn(locks)
    for at in (0.0, 20.0):
        await turn.consider(gone(at, config_busy=True), may_repair=True)

    await turn.consider(then, may_repair=may_repair)

    assert await may_begin(locks)
    await turn.consider(gone(31, config_busy=True), may_repair=True)
    assert await may_begin(locks)  # it counts anew


async def test_a_state_folder_that_cannot_be_used_does_not_end_the_watching(
    locks: NodeLocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: NodeLocks, _names: object) -> None:
        raise StateUnwritableError("No space left on device.")

    monkeypatch.setattr(NodeLocks, "try_hold", refuse)
    turn = Turn(locks)
    for at in (0.0, 20.0):
        await turn.consider(gone(at, config_busy=True), may_repair=True)

    assert await may_begin(locks)


@asynccontextmanager
async def jobs_without_a_pause(ward: Ward) -> AsyncIterator[None]:
    """Hold both locks as the worker does: the next job begins as soon as the one before has ended."""
    held = await asyncio.to_thread(ward.host.locks.try_hold_for_job, BOTH)

    async def work() -> None:
        await eventually(lambda: may_begin_after_this(ward), lambda may: not may, seconds=30)
        assert held is not None
        held.release()

    async with asyncio.TaskGroup() as group:
        group.create_task(work())
        yield


async def may_begin_after_this(ward: Ward) -> bool:
    return await asyncio.to_thread(ward.host.locks.are_free, {NodeLock.REPAIR})


@pytest.mark.timeout(60)
async def test_a_gateway_that_is_gone_is_repaired_between_jobs_that_leave_no_gap(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(healing_module, "FIRST_BACK_OFF_SECONDS", 0.05)
    monkeypatch.setattr(module, "GONE_SECONDS", 0.2)
    await ward.host.state.set_desired(Desired.RUNNING)

    async with jobs_without_a_pause(ward):
        async with ward.watched(interval_seconds=0.1):
            await eventually(lambda: kinds(ward), lambda seen: EventKind.REPAIR in seen, seconds=20)
            await eventually(lambda: kinds(ward), lambda seen: EventKind.RECOVERED in seen, seconds=20)
        assert ward.diary.repairs == ["restart"]


async def kinds(ward: Ward) -> list[EventKind]:
    return ward.diary.kinds
