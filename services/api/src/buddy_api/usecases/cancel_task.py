"""End a task that is not wanted any more: at once while it is Queued, else by its worker."""

import time

from buddy_api.task_changes import TaskChanges
from buddy_api.usecases.watch_task import read_task
from buddy_common.adapters.access import Operator
from buddy_common.adapters.job_queue import JobQueue
from buddy_common.db.engine import Database
from buddy_common.schemas.tasks import TaskView
from buddy_common.usecases.ask_to_cancel import ask_to_cancel


async def cancel_task(
    database: Database,
    changes: TaskChanges,
    queue: JobQueue,
    *,
    task_id: str,
    operator: Operator,
    seconds: float,
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
        view = await database.run(lambda session: ask_to_cancel(session, task_id, operator=operator))
    if view.status.is_final:  # no worker had it, so none takes what the broker keeps for it
        await queue.forget(task_id)
        await changes.announce(task_id, view.status)
    while not view.status.is_final and not changes.stopping:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        position = await changes.wait(task_id, after=position, seconds=left)
        view = await read_task(database, task_id)
    return view
