"""Start, stop and restart the gateway: jobs, always answered with 202."""

from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from buddy_api.deps import JOB_ERRORS, Jobs
from buddy_api.envelope import Envelope, ok, problems
from buddy_common.schemas.gateway_jobs import RestartGatewayJob, StartGatewayJob, StopGatewayJob
from buddy_common.schemas.job import Job
from buddy_common.schemas.tasks import TaskAccepted

router = APIRouter(prefix="/v1/gateway", tags=["gateway"], responses=problems(*JOB_ERRORS))


class StopOptions(BaseModel):
    """How to stop."""

    model_config = ConfigDict(json_schema_extra={"example": {"force": False}})

    force: bool = Field(default=False, description="Do not wait for running chats")


_NO_OPTIONS = StopOptions()


@router.post("/start", status_code=HTTPStatus.ACCEPTED)
async def start(jobs: Jobs) -> Envelope[TaskAccepted]:
    """Start the gateway; a gateway that runs already is fine."""
    return await _submit(jobs, StartGatewayJob(), "Start")


@router.post("/stop", status_code=HTTPStatus.ACCEPTED)
async def stop(jobs: Jobs, options: StopOptions | None = None) -> Envelope[TaskAccepted]:
    """Stop the gateway and keep it stopped; running chats finish first unless `force` is set."""
    return await _submit(jobs, StopGatewayJob(force=(options or _NO_OPTIONS).force), "Stop")


@router.post("/restart", status_code=HTTPStatus.ACCEPTED)
async def restart(jobs: Jobs, options: StopOptions | None = None) -> Envelope[TaskAccepted]:
    """Stop the gateway if it runs, then start it; running chats finish first unless `force` is set."""
    return await _submit(jobs, RestartGatewayJob(force=(options or _NO_OPTIONS).force), "Restart")


async def _submit(jobs: Jobs, job: Job, action: str) -> Envelope[TaskAccepted]:
    accepted = await jobs.submit(job)
    return ok(accepted, message=f"{action} command initiated", status=HTTPStatus.ACCEPTED)
