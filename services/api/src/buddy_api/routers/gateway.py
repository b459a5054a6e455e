"""Start, stop and restart the gateway: jobs, always answered with 202."""

from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel

from buddy_api.deps import NODE_ERRORS, Caller, Node, Wired
from buddy_api.envelope import Envelope, ok, problems
from buddy_common.errors import BrokerUnavailableError, CrossOriginError
from buddy_common.schemas.jobs import RestartGatewayJob, StartGatewayJob, StopGatewayJob
from buddy_common.schemas.tasks import TaskAccepted

router = APIRouter(
    prefix="/v1/gateway",
    tags=["gateway"],
    responses=problems(*NODE_ERRORS, CrossOriginError, BrokerUnavailableError),
)


class StopOptions(BaseModel):
    """How to stop."""

    force: bool = False  # do not wait for running chats


_NO_OPTIONS = StopOptions()


@router.post("/start", status_code=HTTPStatus.ACCEPTED)
async def start(caller: Caller, node: Node, w: Wired) -> Envelope[TaskAccepted]:
    """Start the gateway; a gateway that runs already is fine."""
    task_id = await w.jobs.submit(StartGatewayJob(), node=node, operator=caller)
    return _accepted(task_id, "Start")


@router.post("/stop", status_code=HTTPStatus.ACCEPTED)
async def stop(
    caller: Caller, node: Node, w: Wired, options: StopOptions | None = None
) -> Envelope[TaskAccepted]:
    """Stop the gateway and keep it stopped; running chats finish first unless `force` is set."""
    job = StopGatewayJob(force=(options or _NO_OPTIONS).force)
    return _accepted(await w.jobs.submit(job, node=node, operator=caller), "Stop")


@router.post("/restart", status_code=HTTPStatus.ACCEPTED)
async def restart(
    caller: Caller, node: Node, w: Wired, options: StopOptions | None = None
) -> Envelope[TaskAccepted]:
    """Stop the gateway if it runs, then start it; running chats finish first unless `force` is set."""
    job = RestartGatewayJob(force=(options or _NO_OPTIONS).force)
    return _accepted(await w.jobs.submit(job, node=node, operator=caller), "Restart")


def _accepted(task_id: str, action: str) -> Envelope[TaskAccepted]:
    return ok(
        TaskAccepted(taskID=task_id),
        message=f"{action} command initiated",
        status=HTTPStatus.ACCEPTED,
    )
