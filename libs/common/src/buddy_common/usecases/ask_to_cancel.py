"""Ask for the end of a task that is not wanted any more."""

from sqlmodel import Session

from buddy_common.db import events, task_claims, tasks
from buddy_common.errors import JobCancelledError, TaskHasEndedError, UnknownTaskError
from buddy_common.ports import Caller
from buddy_common.schemas.events import EventStatus
from buddy_common.schemas.tasks import TaskStatus, TaskView


def ask_to_cancel(session: Session, task_id: str, *, operator: Caller) -> TaskView | None:
    """Take the task out of the queue, or note for its worker that it is to end; the caller commits.

    None: it was neither Queued nor Running when it was looked at, but is now. Ask again.

    Raises:
        UnknownTaskError: there is no such task.
        TaskHasEndedError: it had ended before anybody could ask.
    """
    if _take_out(session, task_id):
        how = "It had not begun."
    elif task_claims.ask_to_cancel(session, task_id):
        how = "Its worker was asked to end it."
    else:
        _refuse_ended(session, task_id)
        return None
    view = _read(session, task_id)
    events.add(
        session,
        actor=operator.name,
        action="cancel_task",
        status=EventStatus.SUCCESS,
        target=task_id,
        task_id=task_id,
        address=operator.address,
        node=view.node,
        detail=how,
    )
    return view


def _take_out(session: Session, task_id: str) -> bool:
    error = JobCancelledError()
    ended = task_claims.end_queued(
        session, task_id, status=TaskStatus.CANCELLED, error=error.message, error_code=error.error
    )
    if ended:
        events.close(session, task_id, status=EventStatus.FAILED, detail=error.message)
    return ended


def _refuse_ended(session: Session, task_id: str) -> None:
    view = _read(session, task_id)
    if view.status.is_final:
        raise TaskHasEndedError(task_id, outcome=view.status)


def _read(session: Session, task_id: str) -> TaskView:
    view = tasks.view(session, task_id)
    if view is None:
        raise UnknownTaskError(task_id)
    return view
