"""Runs one job: take the row, call the use case inside its deadline, record what came of it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import structlog
from celery.exceptions import Retry
from pydantic import BaseModel, ValidationError

from buddy_common.errors import (
    BrokerUnavailableError,
    BuddyError,
    DeadlineExceededError,
    InvalidPayloadError,
    JobCancelledError,
    JobInterruptedError,
    SecretLostError,
)
from buddy_common.schemas.config_job import ConfigJob
from buddy_common.schemas.tasks import TaskStatus
from buddy_worker.audited import summary_of
from buddy_worker.claims import Claim, JobWaitsError, take
from buddy_worker.jobs import AnyJob, Outcome, RunningJob
from buddy_worker.loop import LoopThread
from buddy_worker.publish import publish_snapshot, read_again
from buddy_worker.usecases.settle_change import what_is_there
from buddy_worker.wake import wake_waiting
from buddy_worker.wiring import Wiring, wiring

log = structlog.get_logger(__name__)

loop_thread = LoopThread()

_CUT_OFF = frozenset({TaskStatus.INTERRUPTED, TaskStatus.CANCELLED, TaskStatus.TIMEOUT})

# an outcome that cannot be written keeps the next job, and the watchdog, out for no longer than this
RELEASE_SECONDS = 5.0

Handler = Callable[[RunningJob[AnyJob]], Awaitable[BaseModel]]


class JobNotCompletedError(Exception):
    """The job ended otherwise than Completed."""


@dataclass
class _Work:
    """A job of this process, from the claim to the written outcome."""

    job: RunningJob[Any] | None = None
    task: asyncio.Task[BaseModel] | None = None
    cancelled: bool = False


_running: dict[str, _Work] = {}


def run_job(task_id: str, kind: type[AnyJob], handler: Handler[AnyJob]) -> None:
    """Run the job in this process's loop; a duplicate message finds the row claimed and does nothing.

    Raises:
        JobNotCompletedError: for Celery's ears, so that Flower shows the failure; the row has it already.
        Retry: for the same ears: it waits for a lock, and its message comes again.
    """
    try:
        status = loop_thread.run(execute(wiring(), task_id, kind, handler))
    except JobWaitsError as exc:
        raise Retry(message="waits for a lock of its node") from exc
    if status is not None and status is not TaskStatus.COMPLETED:
        raise JobNotCompletedError(status)


async def execute(w: Wiring, task_id: str, kind: type[AnyJob], handler: Handler[AnyJob]) -> TaskStatus | None:
    """Take the task, run the job and return how it ended; None when the task is somebody else's.

    Whatever happens, a task that was taken gets an outcome.

    Raises:
        JobWaitsError: it has to wait for a lock and is still Queued.
    """
    claim = await take(w, task_id, kind)
    if claim is None:
        log.info("task_not_claimed", task_id=task_id)
        return None
    structlog.contextvars.bind_contextvars(task_id=task_id)
    log.info("task_started", kind=claim.row.kind, attempt=claim.row.epoch)
    work = _running[task_id] = _Work()
    try:
        return await _run_claimed(w, claim, kind, handler, work)
    finally:
        claim.locks.release()
        if _running.get(task_id) is work:  # it was taken for lost, and taken again
            del _running[task_id]
        await wake_waiting(w)


def running_ids() -> frozenset[str]:
    """Return the tasks that this process has in hand."""
    return frozenset(_running)


def cancel(task_id: str) -> None:
    """Cancel a running job, because somebody asked for it. Called inside the loop."""
    work = _running.get(task_id)
    if work is not None and work.task is not None and not work.cancelled:
        work.cancelled = True
        work.task.cancel("somebody asked for it")


def interrupt_all() -> None:
    """Cancel every running job; each records itself as Interrupted. Called inside the loop."""
    for work in _running.values():
        if work.job is not None:
            work.job.stopping = True
        if work.task is not None:
            work.task.cancel("the worker stops")


async def _run_claimed(
    w: Wiring, claim: Claim, kind: type[AnyJob], handler: Handler[AnyJob], work: _Work
) -> TaskStatus:
    unreadable = RunningJob(w, claim, kind.model_construct())
    try:
        job = RunningJob(w, claim, await _payload(w, claim, kind))
    except (SecretLostError, BrokerUnavailableError) as exc:
        return await _finish(unreadable, _failure(exc), claim)
    except ValidationError as exc:
        fields = ", ".join(".".join(str(part) for part in error["loc"]) for error in exc.errors())
        error = InvalidPayloadError(
            f"Another version of Buddy wrote this job: {fields} does not fit any more."
        )
        return await _finish(unreadable, _failure(error), claim)
    outcome = _failure(claim.problem) if claim.problem else await _outcome(job, kind, handler, work)
    if outcome.status is not TaskStatus.INTERRUPTED:
        await publish_snapshot(w)
        if outcome.status is TaskStatus.COMPLETED or not issubclass(kind, ConfigJob):  # else all is as before
            await read_again(w, kind)
    return await _finish(job, await _with_note(w, job, kind, outcome), claim)


async def _with_note(w: Wiring, job: RunningJob[AnyJob], kind: type[AnyJob], outcome: Outcome) -> Outcome:
    """Add what stands now, where a change was cut off."""
    if outcome.status not in _CUT_OFF:
        return outcome
    note = job.left or await asyncio.to_thread(what_is_there, w.host, job.task_id, kind)
    return replace(outcome, error=" ".join(filter(None, (outcome.error, *job.made, note))))


async def _payload(w: Wiring, claim: Claim, kind: type[AnyJob]) -> AnyJob:
    payload = kind.model_validate(claim.row.payload)
    if not payload.sealed:
        return payload
    fields = None if payload.seal_key is None else await w.sealed.take(claim.row.id, key=payload.seal_key)
    if fields is None:
        raise SecretLostError
    return payload.unseal(fields)


async def _outcome(
    job: RunningJob[AnyJob], kind: type[AnyJob], handler: Handler[AnyJob], work: _Work
) -> Outcome:
    """Run the handler in a task that may be cancelled; whatever it does, there is an outcome."""
    work.job = job
    work.task = asyncio.create_task(_within_deadline(job, kind, handler))
    try:
        result = await work.task
    except asyncio.CancelledError:
        return _cut_off(job, work)
    except DeadlineExceededError as exc:
        return _failure(exc, TaskStatus.TIMEOUT)
    except JobInterruptedError as exc:  # a repetition that has nothing to go on with
        return _failure(exc, TaskStatus.INTERRUPTED)
    except BuddyError as exc:
        return _failure(exc)
    except Exception as exc:  # the outermost loop of a job: a bug must still end its row
        log.exception("task_crashed")
        return _failure(BuddyError(f"Unexpected {type(exc).__name__}; logs/worker-*.log has it."))
    dumped = result.model_dump(mode="json")
    return Outcome(TaskStatus.COMPLETED, result=dumped, summary=summary_of(result, dumped))


def _cut_off(job: RunningJob[AnyJob], work: _Work) -> Outcome:
    if work.cancelled:
        return _failure(JobCancelledError(job.current_stage), TaskStatus.CANCELLED)
    return _failure(JobInterruptedError("The worker was stopped while this job ran."), TaskStatus.INTERRUPTED)


async def _within_deadline(
    job: RunningJob[AnyJob], kind: type[AnyJob], handler: Handler[AnyJob]
) -> BaseModel:
    try:
        async with asyncio.timeout(kind.deadline_seconds) as limit:
            return await handler(job)
    except TimeoutError as exc:
        if not limit.expired():
            raise
        raise DeadlineExceededError(
            f"Not done after {kind.deadline_seconds:.0f} s, the limit for this kind of job."
            f" It was at: {job.current_stage or 'its beginning'}."
        ) from exc


def _failure(exc: BuddyError, status: TaskStatus = TaskStatus.FAILED) -> Outcome:
    return Outcome(status, result=exc.detail or None, error=exc.message, error_code=exc.error)


async def _finish(job: RunningJob[AnyJob], outcome: Outcome, claim: Claim) -> TaskStatus:
    finishing = asyncio.create_task(job.finish(outcome))
    await asyncio.wait([finishing], timeout=RELEASE_SECONDS)
    claim.locks.release()
    await finishing
    log.info("task_ended", status=outcome.status, error=outcome.error_code, reason=outcome.error)
    return outcome.status
