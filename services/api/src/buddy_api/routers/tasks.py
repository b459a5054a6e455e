"""What became of the jobs."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from buddy_api.deps import NODE_ERRORS, Caller, Wired, resolve_node
from buddy_api.envelope import Envelope, problems
from buddy_api.etags import matches, tagged
from buddy_api.usecases.watch_task import watch_task
from buddy_common.db import tasks
from buddy_common.errors import UnknownTaskError
from buddy_common.schemas.tasks import TaskStatus, TaskView

router = APIRouter(prefix="/v1/tasks", tags=["tasks"])

TaskId = Annotated[str | None, Query(max_length=64)]


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
    task_id_camel: Annotated[TaskId, Query(alias="taskId", description="One task")] = None,
    task_id_guide: Annotated[TaskId, Query(alias="taskID", description="The same")] = None,
    task_id: Annotated[TaskId, Query(description="The same")] = None,
    state: Annotated[TaskStatus | None, Query(alias="status")] = None,
    module: Annotated[str | None, Query(max_length=32)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[str | None, Query(max_length=64, description="Page on from this id")] = None,
    wait: Annotated[float, Query(ge=0, le=60, description="Hold until it changes, seconds")] = 0,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Return all tasks, newest first, or with `taskId` one; `wait` holds one until it changes."""
    wanted = task_id_camel or task_id_guide or task_id
    body: Envelope[TaskView] | Envelope[list[TaskView]]
    if wanted is not None:
        view = await watch_task(w.database, w.stream, task_id=wanted, seconds=wait, known_tag=if_none_match)
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
