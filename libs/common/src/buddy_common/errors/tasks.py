"""Jobs, and what becomes of them."""

from http import HTTPStatus

from buddy_common.errors.base import BuddyError, TransientError
from buddy_common.errors.requests import NotFoundError


class UnknownTaskError(NotFoundError):
    """No task has this id."""

    error = "unknown_task"

    def __init__(self, task_id: str) -> None:
        super().__init__(f"There is no task {task_id!r}. `GET /v1/tasks/status` lists the tasks of a node.")


class QueueFullError(TransientError):
    """As much waits for the workers of a node as may wait."""

    error = "queue_full"
    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, node: str) -> None:
        super().__init__(
            f"Too much waits for the workers of node {node!r} already. Are they running? `buddy status`"
            " tells. Try again when they have done some of it."
        )

    @property
    def headers(self) -> dict[str, str]:
        """Say when to come back."""
        return {"Retry-After": "30"}


class DeadlineExceededError(BuddyError):
    """A job was not done in the time that its kind may take."""

    error = "deadline_exceeded"
    status = HTTPStatus.GATEWAY_TIMEOUT


class JobInterruptedError(BuddyError):
    """A job's worker was stopped before the job was done."""

    error = "interrupted"
    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason} `POST /v1/tasks/{{id}}/retry` does it again.")


class JobCancelledError(BuddyError):
    """Somebody asked for the end of a job; what it had done by then stays done, or is told."""

    error = "cancelled"
    status = HTTPStatus.CONFLICT

    def __init__(self, stage: str | None = None) -> None:
        super().__init__(f"Cancelled while: {stage}." if stage else "Cancelled.")


class TaskHasEndedError(BuddyError):
    """The task has ended, so there is nothing to cancel."""

    error = "task_ended"
    status = HTTPStatus.CONFLICT

    def __init__(self, task_id: str, *, outcome: str) -> None:
        super().__init__(f"The task {task_id!r} has ended already: {outcome}.", status=outcome)


class TaskNotRetryableError(BuddyError):
    """Only a task that ended without success can be tried again."""

    error = "task_not_retryable"
    status = HTTPStatus.CONFLICT


class IdempotencyConflictError(BuddyError):
    """The `Idempotency-Key` came with another request before."""

    error = "idempotency_conflict"
    status = HTTPStatus.CONFLICT


class InvalidPayloadError(BuddyError):
    """A job's row does not fit the schema of its kind: it was written by another version."""

    error = "invalid_payload"


class SecretLostError(BuddyError):
    """The secret, or the text, that a job came with waited too long, or the broker has lost it."""

    error = "secret_lost"
    status = HTTPStatus.CONFLICT

    def __init__(self) -> None:
        super().__init__(
            "The secret or text of this change is kept nowhere any more. Ask for the change anew."
        )
