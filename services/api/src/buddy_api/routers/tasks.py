"""What became of the jobs."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from buddy_api.deps import (
    NODE_ERRORS,
    TASK_ID,
    WORD,
    Caller,
    IdempotencyKey,
    TaskId,
    Wired,
    resolve_node,
)
from buddy_api.envelope import Envelope, ok, problems
from buddy_api.etags import matches, tagged
from buddy_api.prefer import RespondAsync
from buddy_api.usecases.cancel_task import cancel_task
from buddy_api.usecases.retry_task import retry_task
from buddy_api.usecases.watch_task import watch_task
from buddy_common.db import tasks
from buddy_common.errors import (
    BrokerUnavailableError,
    CrossOriginError,
    DatabaseUnavailableError,
    IdempotencyConflictError,
    InvalidRequestError,
    NotAuthenticatedError,
    QueueFullError,
    TaskHasEndedError,
    TaskNotRetryableError,
    UnknownTaskError,
)
from buddy_common.schemas.tasks import TaskAccepted, TaskStatus, TaskView

router = APIRouter(prefix="/v1/tasks", tags=["tasks"])

# what a route that changes one task can answer because of it
_CHANGE_ERRORS = (
    InvalidRequestError,
    NotAuthenticatedError,
    CrossOriginError,
    UnknownTaskError,
    DatabaseUnavailableError,
)

WantedId = Annotated[str | None, Query(pattern=TASK_ID)]


@router.get(
    "/status",
    response_model=Envelope[TaskView | list[TaskView]],
    responses=problems(*NODE_ERRORS, UnknownTaskError),
)
async def status(  # noqa: PLR0913 - one argument per query parameter
    _caller: Caller,
    w: Wired,
    named_node: Annotated[str | None, Query(alias="node", description="Of which node the list is")] = None,
    node_header: Annotated[str | None, Header(alias="X-Buddy-Node")] = None,
    task_id_camel: Annotated[WantedId, Query(alias="taskId", description="One task")] = None,
    task_id_guide: Annotated[WantedId, Query(alias="taskID", description="The same")] = None,
    task_id: Annotated[WantedId, Query(description="The same")] = None,
    state: Annotated[TaskStatus | None, Query(alias="status")] = None,
    module: Annotated[str | None, Query(pattern=WORD, max_length=32)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[WantedId, Query(description="Page on from this id")] = None,
    wait: Annotated[float, Query(ge=0, le=60, description="Hold until it changes, seconds")] = 0,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Return all tasks, newest first, or with `taskId` one; `wait` holds one until it changes."""
    wanted = task_id_camel or task_id_guide or task_id
    body: Envelope[TaskView] | Envelope[list[TaskView]]
    if wanted is not None:
        view = await watch_task(w.database, w.changes, task_id=wanted, seconds=wait, known_tag=if_none_match)
        body = Envelope(data=view)
    else:
        node = await resolve_node(w, named_node or node_header)
        views = await w.database.run(
            lambda session: tasks.listing(
                session, node=node, status=state, module=module, before=before, limit=limit
            )
        )
        body = Envelope(data=views)
    tag, content = tagged(body)
    if matches(if_none_match, tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
    return Response(content, media_type="application/json", headers={"ETag": tag})


@router.post(
    "/{task_id}/cancel",
    response_model=Envelope[TaskView | TaskAccepted],
    responses={
        HTTPStatus.OK: {"model": Envelope[TaskView], "description": "The task as it ended"},
        HTTPStatus.ACCEPTED: {"model": Envelope[TaskAccepted], "description": "Its worker is ending it"},
        **problems(*_CHANGE_ERRORS, TaskHasEndedError),
    },
)
async def cancel(
    task_id: TaskId, caller: Caller, w: Wired, response: Response, *, respond_async: RespondAsync
) -> Envelope[TaskView] | Envelope[TaskAccepted]:
    """End a task: at once while it is Queued; a Running one ends with the programs that it runs.

    What it had done by then stays done; of a plugin it is undone first, which may take minutes.
    It may also complete just before: the answer says how it ended.
    """
    view = await cancel_task(
        w.database,
        w.changes,
        w.jobs,
        task_id=task_id,
        operator=caller,
        seconds=0 if respond_async else w.config.web.wait_seconds,
    )
    if view.status.is_final:
        return ok(view)
    response.status_code = HTTPStatus.ACCEPTED
    accepted = TaskAccepted(taskID=task_id)
    return ok(accepted, message="Cancellation initiated", status=HTTPStatus.ACCEPTED)


@router.post(
    "/{task_id}/retry",
    status_code=HTTPStatus.ACCEPTED,
    responses=problems(
        *_CHANGE_ERRORS,
        TaskNotRetryableError,
        IdempotencyConflictError,
        BrokerUnavailableError,
        QueueFullError,
    ),
)
async def retry(
    task_id: TaskId, caller: Caller, w: Wired, key: IdempotencyKey = None
) -> Envelope[TaskAccepted]:
    """Do the same once more, as a new task for the same node; only for a task that did not complete."""
    new_id = await retry_task(w.database, w.jobs, task_id=task_id, operator=caller, idempotency_key=key)
    accepted = TaskAccepted(taskID=new_id)
    return ok(accepted, message="Retry initiated", status=HTTPStatus.ACCEPTED)
