"""Whatever a job does, its row is claimed once and gets one outcome."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest
from pydantic import BaseModel
from sqlmodel import Session

from buddy_common.db import events, task_claims, tasks
from buddy_common.db.tables import TaskRow
from buddy_common.errors import GatewayStartError, StateUnwritableError
from buddy_common.schemas.events import EventStatus
from buddy_common.schemas.gateway_jobs import RestartGatewayJob
from buddy_common.schemas.job import NodeLock
from buddy_common.schemas.tasks import TaskStatus, TaskView
from buddy_worker import jobs, publish
from buddy_worker.claims import JobWaitsError
from buddy_worker.jobs import RunningJob
from buddy_worker.runner import cancel, execute, interrupt_all
from buddy_worker.wiring import Wiring
from worker.queued import Done, is_free, queue, view

Handler = Callable[[RunningJob[RestartGatewayJob]], Awaitable[BaseModel]]


async def event_status(w: Wiring) -> EventStatus:
    found = await w.database.run(events.listing)
    return found[0].status


async def run(w: Wiring, handler: Handler) -> TaskView:
    task_id = await queue(w, RestartGatewayJob(force=True))
    await execute(w, task_id, RestartGatewayJob, handler)
    return await view(w, task_id)


async def test_a_job_that_ends_well_is_completed_with_its_result(w: Wiring) -> None:
    async def handler(job: RunningJob[RestartGatewayJob]) -> BaseModel:
        assert job.payload.force is True
        await job.stage("working", 40)
        await job.command("openclaw gateway run")
        for number in range(50):
            await job.line(f"line {number}")
        return Done()

    task = await run(w, handler)

    assert task.status is TaskStatus.COMPLETED
    assert task.result == {"answer": 42}
    assert (task.stage, task.progress, task.command) == ("working", 100, "openclaw gateway run")
    assert task.output == [f"line {number}" for number in range(50)]
    assert task.startTime is not None
    assert task.endTime is not None
    assert await event_status(w) is EventStatus.SUCCESS


async def test_stage_lines_and_outcome_go_to_the_live_stream_in_order(w: Wiring) -> None:
    async def handler(job: RunningJob[RestartGatewayJob]) -> BaseModel:
        await job.line("first")
        await job.stage("second", 50)
        await job.line("third")
        return Done()

    task = await run(w, handler)

    entries = await w.redis.xrange(f"buddy:task:{task.id}") or []
    assert [fields for _, fields in filter(None, entries)] == [
        {"line": "first"},
        {"stage": "second", "progress": "50"},
        {"line": "third"},
        {"status": "Completed"},
    ]


async def test_a_job_that_fails_says_why(w: Wiring) -> None:
    async def handler(_job: RunningJob[RestartGatewayJob]) -> BaseModel:
        raise GatewayStartError("Invalid config: gateway.foo; redis://:hidden@host")

    task = await run(w, handler)

    assert task.status is TaskStatus.FAILED
    assert task.errorCode == "gateway_start_failed"
    assert task.error == "Invalid config: gateway.foo; redis://…@host"
    assert await event_status(w) is EventStatus.FAILED


async def test_a_picture_that_cannot_be_published_costs_no_outcome(
    w: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def explode(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(publish, "publish_gateway", explode)

    async def handler(_job: RunningJob[RestartGatewayJob]) -> BaseModel:
        return Done()

    assert (await run(w, handler)).status is TaskStatus.COMPLETED


async def test_a_bug_ends_the_row_too(w: Wiring) -> None:
    async def handler(_job: RunningJob[RestartGatewayJob]) -> BaseModel:
        raise ZeroDivisionError

    task = await run(w, handler)

    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    assert "ZeroDivisionError" in task.error


async def test_a_job_over_its_deadline_is_timeout(w: Wiring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RestartGatewayJob, "deadline_seconds", 0.2)

    async def handler(_job: RunningJob[RestartGatewayJob]) -> BaseModel:
        await asyncio.Event().wait()
        return Done()

    task = await run(w, handler)

    assert task.status is TaskStatus.TIMEOUT
    assert task.errorCode == "deadline_exceeded"


async def test_a_stopping_worker_interrupts_its_jobs(w: Wiring) -> None:
    began = asyncio.Event()

    async def handler(_job: RunningJob[RestartGatewayJob]) -> BaseModel:
        began.set()
        await asyncio.Event().wait()
        return Done()

    task_id = await queue(w)
    running = asyncio.create_task(execute(w, task_id, RestartGatewayJob, handler))
    async with asyncio.timeout(5):
        await began.wait()
        interrupt_all()
        assert await running is TaskStatus.INTERRUPTED

    assert (await view(w, task_id)).status is TaskStatus.INTERRUPTED


async def test_a_job_that_somebody_cancels_says_so(w: Wiring) -> None:
    began = asyncio.Event()

    async def handler(job: RunningJob[RestartGatewayJob]) -> BaseModel:
        await job.stage("draining", 20)
        began.set()
        await asyncio.Event().wait()
        return Done()

    task_id = await queue(w)
    running = asyncio.create_task(execute(w, task_id, RestartGatewayJob, handler))
    async with asyncio.timeout(5):
        await began.wait()
        cancel(task_id)
        cancel(task_id)  # twice is once
        assert await running is TaskStatus.CANCELLED
    cancel(task_id)  # and later is nothing

    task = await view(w, task_id)
    assert (task.status, task.errorCode, task.error) == (
        TaskStatus.CANCELLED,
        "cancelled",
        "Cancelled while: draining.",
    )


async def test_a_failure_leaves_its_facts_for_machines(w: Wiring) -> None:
    async def handler(_job: RunningJob[RestartGatewayJob]) -> BaseModel:
        raise GatewayStartError("It ended.", exitCode=78, signal=None)

    assert (await run(w, handler)).result == {"exitCode": 78, "signal": None}


async def test_the_facts_of_a_failure_hold_no_secret_and_no_endless_line(w: Wiring) -> None:
    async def handler(_job: RunningJob[RestartGatewayJob]) -> BaseModel:
        raise GatewayStartError("It ended.", reason=["redis://:hidden@host", "x" * 300_000])

    result = (await run(w, handler)).result

    assert result is not None
    assert result["reason"] == ["redis://…@host", "x" * jobs.MAX_LINE_CHARACTERS]


async def test_locks_are_held_while_a_job_runs_and_free_when_its_outcome_is_known(w: Wiring) -> None:
    held = []

    async def handler(job: RunningJob[RestartGatewayJob]) -> BaseModel:
        held.append(not await is_free(w, NodeLock.LIFECYCLE))
        assert job.lock_descriptors
        return Done()

    await run(w, handler)

    assert held == [True]
    assert await is_free(w, NodeLock.LIFECYCLE)


async def test_a_state_folder_that_cannot_be_used_fails_the_job_and_says_why(
    w: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_names: object) -> None:
        raise StateUnwritableError("lifecycle.lock cannot be opened: No space left on device.")

    monkeypatch.setattr(w.host.locks, "try_hold", refuse)

    async def handler(_job: RunningJob[RestartGatewayJob]) -> BaseModel:
        raise AssertionError("must not run")

    task = await run(w, handler)

    assert (task.status, task.errorCode) == (TaskStatus.FAILED, "state_unwritable")
    assert "No space left" in str(task.error)


async def test_a_job_that_is_interrupted_while_its_lines_are_written_keeps_them_and_its_outcome(
    w: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = threading.Event()
    go_on = threading.Event()
    write = tasks.add_output

    def slow_write(session: Session, task_id: str, *, first_seq: int, lines: list[str]) -> None:
        writing.set()
        go_on.wait(timeout=5)
        write(session, task_id, first_seq=first_seq, lines=lines)

    monkeypatch.setattr(tasks, "add_output", slow_write)

    async def handler(job: RunningJob[RestartGatewayJob]) -> BaseModel:
        await job.line("once only")
        await job.flush()
        return Done()

    task_id = await queue(w)
    running = asyncio.create_task(execute(w, task_id, RestartGatewayJob, handler))
    await asyncio.to_thread(writing.wait, 5)
    interrupt_all()
    asyncio.get_running_loop().call_later(0.1, go_on.set)
    async with asyncio.timeout(5):
        assert await running is TaskStatus.INTERRUPTED

    assert (await view(w, task_id)).output == ["once only"]


async def test_two_messages_for_one_task_run_it_once(w: Wiring) -> None:
    runs = []

    async def handler(_job: RunningJob[RestartGatewayJob]) -> BaseModel:
        runs.append(1)
        return Done()

    task_id = await queue(w)
    outcomes = await asyncio.gather(
        *(execute(w, task_id, RestartGatewayJob, handler) for _ in range(8)), return_exceptions=True
    )

    assert len(runs) == 1
    assert outcomes.count(TaskStatus.COMPLETED) == 1
    others = [outcome for outcome in outcomes if outcome is not TaskStatus.COMPLETED]
    assert all(other is None or isinstance(other, JobWaitsError) for other in others)
    assert (await view(w, task_id)).status is TaskStatus.COMPLETED


async def test_a_payload_of_another_version_fails_the_row(w: Wiring) -> None:
    async def handler(_job: RunningJob[RestartGatewayJob]) -> BaseModel:
        raise AssertionError("must not run")

    task_id = await queue(w)

    def spoil(session: Session) -> None:
        row = session.get(TaskRow, task_id)
        assert row is not None
        row.payload = {"force": {"not": "a bool"}}
        session.add(row)

    await w.database.run(spoil)
    await execute(w, task_id, RestartGatewayJob, handler)

    assert (await view(w, task_id)).errorCode == "invalid_payload"


async def test_the_outcome_of_a_lost_claim_changes_nothing(w: Wiring) -> None:
    async def handler(job: RunningJob[RestartGatewayJob]) -> BaseModel:
        lost = TaskStatus.INTERRUPTED
        await w.database.run(lambda s: task_claims.finish(s, job.task_id, epoch=1, status=lost))
        return Done()

    assert (await run(w, handler)).status is TaskStatus.INTERRUPTED


async def test_output_is_bounded_in_length_and_number(w: Wiring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MAX_LINES", 30)

    async def handler(job: RunningJob[RestartGatewayJob]) -> BaseModel:
        for _ in range(100):
            await job.line("x" * 5000 + "\x00")
        return Done()

    task = await run(w, handler)

    assert len(task.output) == 30
    assert set(task.output) == {"x" * jobs.MAX_LINE_CHARACTERS}


SAID = [
    "[agent/embedded] 401 Incorrect API key provided: sk-proj-Abcdefgh1234567890ijklmnop",
    "[telegram] token 123456789:AAFabcdefghijklmnopqrstuvwxyz012345 rejected",
    "assistant: your DB_PASSWORD=hunter2-very-long",
]


async def test_secrets_of_programs_reach_neither_output_nor_error_nor_result(w: Wiring) -> None:
    class Told(Done):
        said: list[str] = SAID

    async def told(job: RunningJob[RestartGatewayJob]) -> BaseModel:
        for line in SAID:
            await job.line(line)
        return Told()

    async def failed(_: RunningJob[RestartGatewayJob]) -> BaseModel:
        raise GatewayStartError("\n".join(SAID), reason=SAID)

    for task in (await run(w, told), await run(w, failed)):
        shown = task.model_dump_json()
        assert not [part for part in ("1234567890ijkl", "AAFabcdef", "hunter2") if part in shown]
        assert "Incorrect API key provided" in shown
