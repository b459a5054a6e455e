"""Runs one job: claim the row, call the use case inside its deadline, record what came of it."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from pydantic import BaseModel, ValidationError

from buddy_common.db import tasks
from buddy_common.db.tables import TaskRow
from buddy_common.errors import BrokerUnavailableError, BuddyError, InvalidPayloadError
from buddy_common.schemas.tasks import TaskStatus
from buddy_common.usecases.publish_node import publish_node
from buddy_worker.jobs import AnyJob, Outcome, RunningJob
from buddy_worker.loop import LoopThread
from buddy_worker.wiring import Wiring, wiring

log = structlog.get_logger(__name__)

loop_thread = LoopThread()
_running: "set[asyncio.Task[None]]" = set()


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
    work = asyncio.current_task()
    if work is not None:
        _running.add(work)
    try:
        return await _run_claimed(w, row, kind, handler)
    finally:
        if work is not None:
            _running.discard(work)


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
    """Run the handler; whatever it does, there is an outcome."""
    try:
        async with asyncio.timeout(kind.deadline_seconds):
            result = await handler(job)
    except TimeoutError:
        text = f"Not done after {kind.deadline_seconds:.0f} s, the limit for this kind of job."
        return Outcome(TaskStatus.TIMEOUT, error=text, error_code="deadline_exceeded")
    except asyncio.CancelledError:
        text = "The worker was stopped while this job ran."
        return Outcome(TaskStatus.INTERRUPTED, error=text, error_code="interrupted")
    except BuddyError as exc:
        return _failure(exc)
    except Exception as exc:  # the outermost loop of a job: a bug must still end its row
        log.exception("task_crashed")
        return _failure(BuddyError(f"Unexpected {type(exc).__name__}; the worker's log has it."))
    return Outcome(TaskStatus.COMPLETED, result=result.model_dump(mode="json"))


def _failure(exc: BuddyError) -> Outcome:
    return Outcome(TaskStatus.FAILED, error=exc.message, error_code=exc.error)


async def _finish(job: RunningJob[AnyJob], outcome: Outcome) -> TaskStatus:
    await job.finish(outcome)
    log.info("task_ended", status=outcome.status, error=outcome.error_code, reason=outcome.error)
    return outcome.status


async def _publish(w: Wiring) -> None:
    """Show the new state at once: who polls the task looks at the status next."""
    host = w.host
    try:
        await publish_node(
            host.read_model,
            node=host.node,
            gateway=host.gateway,
            host=host.state,
            system=host.system,
            openclaw=host.openclaw,
        )
    except BrokerUnavailableError as exc:
        log.warning("read_model_unavailable", reason=exc.message)
    except Exception:  # a picture that cannot be taken must not cost the job its outcome
        log.exception("publish_failed")
