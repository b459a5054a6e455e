"""A task is taken together with its locks, in the order of coming; whoever must wait keeps no thread."""

from typing import ClassVar

import pytest

from buddy_common.schemas import jobs
from buddy_common.schemas.gateway_jobs import RestartGatewayJob, StopGatewayJob
from buddy_common.schemas.job import NodeLock
from buddy_common.schemas.tasks import TaskStatus
from buddy_worker.claims import JobWaitsError, take
from buddy_worker.wiring import Wiring
from worker.queued import hold, is_free, queue, row, view


class WritingJob(RestartGatewayJob):
    """A kind that needs another lock than a restart does, and no other."""

    task: ClassVar[str] = "test.writing"
    locks: ClassVar[frozenset[NodeLock]] = frozenset({NodeLock.CONFIG})


async def test_a_task_is_taken_with_its_locks(w: Wiring) -> None:
    task_id = await queue(w)

    claim = await take(w, task_id, RestartGatewayJob)

    assert claim is not None
    assert (claim.row.status, claim.row.owner, claim.row.epoch) == ("Running", str(w.owner), 1)
    assert not await is_free(w, NodeLock.LIFECYCLE)
    assert await is_free(w, NodeLock.CONFIG)
    claim.locks.release()


async def test_a_task_that_is_taken_cannot_be_taken_again(w: Wiring) -> None:
    task_id = await queue(w)
    claim = await take(w, task_id, RestartGatewayJob)
    assert claim is not None
    claim.locks.release()

    assert await take(w, task_id, RestartGatewayJob) is None
    assert await is_free(w, NodeLock.LIFECYCLE)


async def test_a_task_that_needs_a_held_lock_stays_queued_and_says_for_whom_it_waits(w: Wiring) -> None:
    first = await take(w, await queue(w), RestartGatewayJob)
    second = await queue(w, StopGatewayJob())

    with pytest.raises(JobWaitsError):
        await take(w, second, StopGatewayJob)

    task = await view(w, second)
    assert (task.status, task.stage) == (TaskStatus.QUEUED, "waiting for: Restart gateway")
    assert (await row(w, second)).message_at is None
    assert first is not None
    first.locks.release()


async def test_a_lock_that_no_task_holds_is_named(w: Wiring) -> None:
    held = await hold(w, NodeLock.LIFECYCLE)  # the watchdog, say
    task_id = await queue(w)

    with pytest.raises(JobWaitsError):
        await take(w, task_id, RestartGatewayJob)

    assert (await view(w, task_id)).stage == "waiting for the node's lifecycle lock"
    held.release()


async def test_who_comes_later_does_not_overtake_who_waits(w: Wiring) -> None:
    first, second = await queue(w), await queue(w, StopGatewayJob())

    with pytest.raises(JobWaitsError):
        await take(w, second, StopGatewayJob)
    assert await is_free(w, NodeLock.LIFECYCLE)

    claim = await take(w, first, RestartGatewayJob)
    assert claim is not None
    claim.locks.release()


async def test_jobs_that_share_no_lock_do_not_wait_for_each_other(
    w: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(jobs._BY_TASK, WritingJob.task, WritingJob)
    writing = await take(w, await queue(w, WritingJob()), WritingJob)
    restart = await take(w, await queue(w), RestartGatewayJob)

    assert writing is not None
    assert restart is not None
    writing.locks.release()
    restart.locks.release()


async def test_a_task_of_the_gateway_waits_while_the_watchdog_is_next(w: Wiring) -> None:
    turn = await hold(w, NodeLock.REPAIR)
    task_id = await queue(w)

    with pytest.raises(JobWaitsError):
        await take(w, task_id, RestartGatewayJob)
    assert await is_free(w, NodeLock.LIFECYCLE)

    turn.release()
    claim = await take(w, task_id, RestartGatewayJob)
    assert claim is not None
    claim.locks.release()
