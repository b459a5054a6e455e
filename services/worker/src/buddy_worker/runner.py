"""Runs one job: claim the row, call the use case inside its deadline, record what came of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext

import structlog
from pydantic import BaseModel, ValidationError

from buddy_common.adapters.node_lock import node_lock
from buddy_common.db import tasks
from buddy_common.db.tables import TaskRow
from buddy_common.errors import (
    BrokerUnavailableError,
    BuddyError,
    DeadlineExceededError,
    InvalidPayloadError,
    JobInterruptedError,
    LifecycleBusyError,
)
from buddy_common.schemas.tasks import TaskStatus
from buddy_common.usecases.observe_gateway import observe_gateway
from buddy_common.usecases.publish_node import publish_gateway
from buddy_worker.jobs import AnyJob, Outcome, RunningJob
from buddy_worker.loop import LoopThread
from buddy_worker.wiring import Wiring, wiring

log = structlog.get_logger(__name__)

loop_thread = LoopThread()
_running: set[asyncio.Task[BaseModel]] = set()

# a restart ends before this, whatever it meets
LOCK_WAIT_SECONDS = 900.0
PUBLISH_SECONDS = 15.0


class JobNotCompletedError(Exception):
    """The job ended otherwise than Completed."""


def run_job(
    task_id: str,
    kind: type[AnyJob],
    handler: Callable[[RunningJob[AnyJob]], Awaitable[BaseModel]],
) -> None:
    """Run the job in this process's loop; a duplicate message finds the row claimed and does nothing.

    Raises:
        JobNotCompletedError: for Celery's ears, so that Flower shows the failure; the row has it already.
    """
    status = loop_thread.run(execute(wiring(), task_id, kind, handler))
    if status is not None and status is not TaskStatus.COMPLETED:
        raise JobNotCompletedError(status)


async def execute(
    w: Wiring,
    task_id: str,
    kind: type[AnyJob],
    handler: Callable[[RunningJob[AnyJob]], Awaitable[BaseModel]],
) -> TaskStatus | None:
    """Claim the row, run the job and return how it ended; None when the row is somebody else's.

    Whatever happens, a claimed row gets an outcome.
    """
    row = await w.database.run(lambda session: tasks.claim(session, task_id, owner=w.owner))
    if row is None:
        log.info("task_not_claimed", task_id=task_id)
        return None
    structlog.contextvars.bind_contextvars(task_id=task_id)
    log.info("task_started", kind=row.kind)
    return await _run_claimed(w, row, kind, handler)


def interrupt_all() -> None:
    """Cancel every running job; each records itself as Interrupted. Called inside the loop."""
    for work in _running:
        work.cancel("the worker stops")


async def _run_claimed(
    w: Wiring,
    row: TaskRow,
    kind: type[AnyJob],
    handler: Callable[[RunningJob[AnyJob]], Awaitable[BaseModel]],
) -> TaskStatus:
    try:
        job = RunningJob(w, row.id, row.epoch, kind.model_validate(row.payload))
    except ValidationError as exc:
        unreadable = RunningJob(w, row.id, row.epoch, kind.model_construct())
        error = InvalidPayloadError(f"The job's payload is not readable: {exc}")
        return await _finish(unreadable, _failure(error))
    outcome = await _outcome(job, kind, handler)
    if outcome.status is not TaskStatus.INTERRUPTED:
        await _publish(w)
    return await _finish(job, outcome)


async def _outcome(
    job: RunningJob[AnyJob],
    kind: type[AnyJob],
    handler: Callable[[RunningJob[AnyJob]], Awaitable[BaseModel]],
) -> Outcome:
    """Run the handler in a task that a stopping worker may cancel; whatever it does, there is an outcome."""
    work = asyncio.create_task(_within_deadline(job, kind, handler))
    _running.add(work)
    try:
        result = await work
    except asyncio.CancelledError:
        return _failure(
            JobInterruptedError("The worker was stopped while this job ran."), TaskStatus.INTERRUPTED
        )
    except DeadlineExceededError as exc:
        return _failure(exc, TaskStatus.TIMEOUT)
    except BuddyError as exc:
        return _failure(exc)
    except Exception as exc:  # the outermost loop of a job: a bug must still end its row
        log.exception("task_crashed")
        return _failure(BuddyError(f"Unexpected {type(exc).__name__}; the worker's log has it."))
    finally:
        _running.discard(work)
    return Outcome(TaskStatus.COMPLETED, result=result.model_dump(mode="json"))


async def _within_deadline(
    job: RunningJob[AnyJob],
    kind: type[AnyJob],
    handler: Callable[[RunningJob[AnyJob]], Awaitable[BaseModel]],
) -> BaseModel:
    """Wait for others first, if the job must be alone; its own time counts from then on."""
    async with _alone(job) if kind.exclusive else nullcontext():
        try:
            async with asyncio.timeout(kind.deadline_seconds) as limit:
                return await handler(job)
        except TimeoutError as exc:
            if not limit.expired():
                raise
            raise DeadlineExceededError(
                f"Not done after {kind.deadline_seconds:.0f} s, the limit for this kind of job."
            ) from exc


@asynccontextmanager
async def _alone(job: RunningJob[AnyJob]) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(LOCK_WAIT_SECONDS):
                if job.lifecycle_line.locked():
                    await job.waits_for_lock()
                # first come, first served among our own jobs; the file lock knows no order
                await stack.enter_async_context(job.lifecycle_line)
                await stack.enter_async_context(
                    node_lock(job.host.lifecycle_lock, on_wait=job.waits_for_lock)
                )
        except TimeoutError as exc:
            raise LifecycleBusyError(
                f"Another lifecycle job of this node did not end within {LOCK_WAIT_SECONDS:.0f} s."
            ) from exc
        yield


def _failure(exc: BuddyError, status: TaskStatus = TaskStatus.FAILED) -> Outcome:
    return Outcome(status, error=exc.message, error_code=exc.error)


async def _finish(job: RunningJob[AnyJob], outcome: Outcome) -> TaskStatus:
    await job.finish(outcome)
    log.info("task_ended", status=outcome.status, error=outcome.error_code, reason=outcome.error)
    return outcome.status


async def _publish(w: Wiring) -> None:
    """Show the new state at once: who polls the task looks at the status next."""
    host = w.host
    try:
        async with asyncio.timeout(PUBLISH_SECONDS):
            snapshot = await observe_gateway(host.gateway, host.state, node=host.node, system=host.system)
            await publish_gateway(host.read_model, snapshot, host.openclaw, fresh_seconds=host.fresh_seconds)
    except BrokerUnavailableError as exc:
        log.warning("read_model_unavailable", reason=exc.message)
    except Exception:  # a picture that cannot be taken must not cost the job its outcome
        log.exception("publish_failed")
