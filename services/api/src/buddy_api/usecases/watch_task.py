"""Return a task, at once or when it has changed."""

import time

from buddy_api.envelope import Envelope
from buddy_api.etags import matches, tagged
from buddy_api.task_changes import TaskChanges
from buddy_common.db import tasks
from buddy_common.db.engine import Database
from buddy_common.errors import UnknownTaskError
from buddy_common.schemas.tasks import TaskView


async def watch_task(
    database: Database,
    changes: TaskChanges,
    *,
    task_id: str,
    seconds: float,
    known_tag: str | None,
) -> TaskView:
    """Return the task once it differs from what the caller knows, is final, or time is up.

    The caller knows the version with `known_tag`; without one, the version of this moment.

    Raises:
        UnknownTaskError: there is no such task.
    """
    deadline = time.monotonic() + seconds
    position = await changes.position(task_id)
    view = await read_task(database, task_id)
    known = known_tag or _tag(view)
    while not view.status.is_final and matches(known, _tag(view)):
        left = deadline - time.monotonic()
        if left <= 0 or changes.stopping:
            break
        position = await changes.wait(task_id, after=position, seconds=left)
        view = await read_task(database, task_id)
    return view


async def read_task(database: Database, task_id: str) -> TaskView:
    """Return the task as it is now.

    Raises:
        UnknownTaskError: there is no such task.
    """
    view = await database.run(lambda session: tasks.view(session, task_id))
    if view is None:
        raise UnknownTaskError(task_id)
    return view


def _tag(view: TaskView) -> str:
    return tagged(Envelope(data=view))[0]
