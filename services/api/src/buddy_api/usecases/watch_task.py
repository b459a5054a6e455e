"""Return a task, at once or when it has changed."""

import asyncio
import time

from buddy_api.envelope import Envelope
from buddy_api.etags import matches, tagged
from buddy_common.adapters.task_stream import TaskStream
from buddy_common.db import tasks
from buddy_common.db.engine import Database
from buddy_common.errors import BrokerUnavailableError, UnknownTaskError
from buddy_common.schemas.tasks import TaskView

# without the broker the row is looked at this often; it is the truth anyway
FALLBACK_SECONDS = 0.5


async def watch_task(
    database: Database,
    stream: TaskStream,
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
    position = await _position(stream, task_id)
    view = await _load(database, task_id)
    known = known_tag or _tag(view)
    while not view.status.is_final and matches(known, _tag(view)):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        position = await _next_change(stream, task_id, after=position, seconds=left)
        view = await _load(database, task_id)
    return view


async def _load(database: Database, task_id: str) -> TaskView:
    view = await database.run(lambda session: tasks.view(session, task_id))
    if view is None:
        raise UnknownTaskError(task_id)
    return view


def _tag(view: TaskView) -> str:
    return tagged(Envelope(data=view))[0]


async def _position(stream: TaskStream, task_id: str) -> str | None:
    try:
        return await stream.position(task_id)
    except BrokerUnavailableError:
        return None


async def _next_change(stream: TaskStream, task_id: str, *, after: str | None, seconds: float) -> str | None:
    if after is None:
        await asyncio.sleep(min(seconds, FALLBACK_SECONDS))
        return await _position(stream, task_id)
    try:
        return await stream.wait(task_id, after=after, seconds=seconds)
    except BrokerUnavailableError:
        return None
