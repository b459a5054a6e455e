"""A task as a stream of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from buddy_api.deps import Caller, TaskId, Wired
from buddy_api.envelope import problems_beside_a_stream
from buddy_api.usecases.follow_task import follow_task
from buddy_api.usecases.watch_task import read_task
from buddy_common.errors import (
    DatabaseUnavailableError,
    InvalidRequestError,
    NotAuthenticatedError,
    UnknownTaskError,
)

router = APIRouter(prefix="/v1/tasks", tags=["tasks"])

RETRY_MILLISECONDS = 2000
LAST_SEQ = 2**31 - 1  # what the column holds

_EXAMPLE = """\
event: task
data: {"id": "task-1774656000-9f3c1a7e", "status": "Running", "stage": "starting", "progress": 60}
retry: 2000

event: output
data: {"seq": 0, "line": "[gateway] starting..."}
id: 0

event: done
data: {"id": "task-1774656000-9f3c1a7e", "status": "Completed", "output": ["[gateway] starting..."]}
"""


@dataclass(frozen=True)
class _Start:
    """Which task somebody follows, and after which line."""

    task_id: str
    after: int


async def _start(
    _caller: Caller,
    w: Wired,
    task_id: TaskId,
    last_event_id: Annotated[
        int | None,
        Header(alias="Last-Event-ID", ge=0, le=LAST_SEQ, description="Go on after this line; goes first"),
    ] = None,
    after: Annotated[int | None, Query(ge=0, le=LAST_SEQ, description="Go on after this line")] = None,
) -> _Start:
    """Refuse what must be refused before the stream begins."""
    await read_task(w.database, task_id)
    seen = after if last_event_id is None else last_event_id
    return _Start(task_id, -1 if seen is None else seen)


@router.get(
    "/{task_id}/events",
    response_class=EventSourceResponse,
    response_description="Events until the task has ended",
    responses={
        200: {"content": {"text/event-stream": {"example": _EXAMPLE}}},
        **problems_beside_a_stream(
            InvalidRequestError, NotAuthenticatedError, UnknownTaskError, DatabaseUnavailableError
        ),
    },
)
async def events(start: Annotated[_Start, Depends(_start)], w: Wired) -> AsyncIterator[ServerSentEvent]:
    """Follow a task: `task` at first and at each change, `output` per line, `done` at the end.

    The id of an `output` is the line's number, so that a browser goes on where it was cut off; a client
    closes the stream at `done`. A ticket opens one stream; for the next, get another and say `after`.
    """
    retry: int | None = RETRY_MILLISECONDS
    async for news in follow_task(w.database, w.changes, task_id=start.task_id, after=start.after):
        line_id = None if news.seq is None else str(news.seq)
        yield ServerSentEvent(event=news.kind, raw_data=news.body, id=line_id, retry=retry)
        retry = None
