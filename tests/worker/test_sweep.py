"""Every second, whatever was forgotten is found."""

import asyncio
from collections.abc import Callable

import pytest
from pydantic import BaseModel
from sqlmodel import Session

from buddy_common.db import task_claims
from buddy_common.errors import DatabaseUnavailableError
from buddy_common.schemas.gateway_jobs import RestartGatewayJob
from buddy_common.schemas.tasks import TaskStatus
from buddy_worker import sweep
from buddy_worker.jobs import RunningJob
from buddy_worker.runner import execute
from buddy_worker.sweep import QUEUED_FOR_MOST, Sweeper
from buddy_worker.wiring import Wiring
from eventually import eventually
from worker.queued import Done, ago, queue, sent, view


async def test_a_sweep_sends_what_waits_and_what_was_lost(w: Wiring) -> None:
    waiting = await queue(w, message_at=None)
    lost = await queue(w, message_at=ago(60))

    await Sweeper(w).sweep()

    assert await sent(w) == {waiting, lost}


async def test_a_sweep_cancels_what_somebody_wants_cancelled(w: Wiring) -> None:
    began = asyncio.Event()

    async def handler(_job: RunningJob[RestartGatewayJob]) -> BaseModel:
        began.set()
        await asyncio.Event().wait()
        return Done()

    task_id = await queue(w)
    async with asyncio.timeout(9):
        running = asyncio.create_task(execute(w, task_id, RestartGatewayJob, handler))
        await began.wait()
        await w.database.run(lambda session: task_claims.ask_to_cancel(session, task_id))
        await Sweeper(w).sweep()

        assert await running is TaskStatus.CANCELLED


async def test_what_nobody_ran_within_a_day_is_given_up(w: Wiring) -> None:
    old = await queue(w, queued_at=ago(QUEUED_FOR_MOST.total_seconds() + 60), message_at=None)
    young = await queue(w, queued_at=ago(QUEUED_FOR_MOST.total_seconds() - 60), message_at=None)

    await Sweeper(w).sweep()

    task = await view(w, old)
    assert (task.status, task.errorCode) == (TaskStatus.INTERRUPTED, "interrupted")
    assert await sent(w) == {young}


async def test_sweeping_goes_on_after_a_database_that_was_gone(
    w: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "SWEEP_SECONDS", 0.01)
    task_id = await queue(w, message_at=None)
    failures = iter([DatabaseUnavailableError("locked"), ZeroDivisionError()])
    run = w.database.run

    async def fail_twice(work: Callable[[Session], object]) -> object:
        for failure in failures:
            raise failure
        return await run(work)

    monkeypatch.setattr(w.database, "run", fail_twice)
    sweeping = asyncio.create_task(Sweeper(w).sweep_forever())
    try:
        assert await eventually(lambda: sent(w), lambda ids: ids == {task_id})
    finally:
        sweeping.cancel()
        await asyncio.wait([sweeping])
