"""Do once more what a task did not achieve."""

from pydantic import ValidationError

from buddy_common.adapters.access import Operator
from buddy_common.adapters.job_queue import JobQueue
from buddy_common.db.engine import Database
from buddy_common.db.tables import TaskRow
from buddy_common.errors import TaskNotRetryableError, UnknownTaskError
from buddy_common.schemas.job import Job
from buddy_common.schemas.jobs import job_kind
from buddy_common.schemas.tasks import TaskStatus


async def retry_task(
    database: Database,
    queue: JobQueue,
    *,
    task_id: str,
    operator: Operator,
    idempotency_key: str | None,
) -> str:
    """Submit the task's job anew, for the same node, and return the new task's id.

    Raises:
        UnknownTaskError: there is no such task.
        TaskNotRetryableError: it completed, has not ended, or is not what this version can run.
        BrokerUnavailableError: the message could not be sent; the new row is Failed and says so.
        IdempotencyConflictError: the key came before, with another request.
    """
    row = await database.run(lambda session: session.get(TaskRow, task_id))
    if row is None:
        raise UnknownTaskError(task_id)
    return await queue.submit(
        _job_of(row),
        node=row.node,
        operator=operator,
        idempotency_key=idempotency_key,
        retry_of=task_id,
    )


def _job_of(row: TaskRow) -> Job:
    status = TaskStatus(row.status)
    if status is TaskStatus.COMPLETED:
        raise _refusal(row, "has completed. Ask for the change anew if it is wanted once more")
    if not status.is_final:
        raise _refusal(row, f"has not ended yet: it is {status}. Cancel it first, or wait for its end")
    kind = job_kind(row.kind)
    if kind is None:
        raise _refusal(row, f"is of a kind that this version of Buddy does not know: {row.kind!r}")
    try:
        job = kind.model_validate(row.payload)
    except ValidationError as exc:
        fields = ", ".join(".".join(str(part) for part in error["loc"]) for error in exc.errors())
        text = f"was written by another version of Buddy: its payload does not fit any more ({fields})"
        raise _refusal(row, text) from exc
    if job.sealed:
        raise _refusal(
            row, "came with a secret or a text of which no record is kept. Ask for the change anew"
        )
    return job


def _refusal(row: TaskRow, reason: str) -> TaskNotRetryableError:
    return TaskNotRetryableError(f"The task {row.id!r} {reason}.", status=row.status)
