"""End a task that is not wanted any more: at once while it is Queued, else by its worker."""

import time

from sqlmodel import Session

from buddy_api.task_changes import TaskChanges
from buddy_api.usecases.watch_task import read_task
from buddy_common.adapters.access import Operator
from buddy_common.db import events, task_claims, tasks
from buddy_common.db.engine import Database
from buddy_common.errors import JobCancelledError, TaskHasEndedError, UnknownTaskError
from buddy_common.schemas.events import EventStatus
from buddy_common.schemas.tasks import TaskStatus, TaskView


async def cancel_task(
    database: Database, changes: TaskChanges, *, task_id: str, operator: Operator, seconds: float
) -> TaskView:
    """Ask for the task's end; return it as it ended, or still Running after `seconds`.

    A worker that was faster has completed it: then that is how it ended.

    Raises:
        UnknownTaskError: there is no such task.
        TaskHasEndedError: it had ended before anybody could ask.
    """
    deadline = time.monotonic() + seconds
    position = await changes.position(task_id)
    view = None
    while view is None:  # each turn, the task changed hands; a job has two attempts at most
        view = await database.run(lambda session: _ask(session, task_id, operator))
    if view.status.is_final:
        await changes.announce(task_id, view.status)
    while not view.status.is_final and not changes.stopping:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        position = await changes.wait(task_id, after=position, seconds=left)
        view = await read_task(database, task_id)
    return view


def _ask(session: Session, task_id: str, operator: Operator) -> TaskView | None:
    """Take the task out of the queue, or note for its worker that it is to end.

    None: it was neither Queued nor Running when it was looked at, but is now.
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
