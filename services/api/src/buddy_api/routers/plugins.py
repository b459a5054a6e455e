"""OpenClaw's plugins."""

from http import HTTPStatus

from fastapi import APIRouter
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from buddy_api.deps import JOB_ERRORS, Jobs
from buddy_api.envelope import Envelope, ok, problems
from buddy_common.schemas.jobs import InstallPluginJob, PluginSpec
from buddy_common.schemas.tasks import TaskAccepted

router = APIRouter(prefix="/v1/openclaw/plugins", tags=["plugins"], responses=problems(*JOB_ERRORS))


class InstallPlugin(BaseModel):
    """Which plugin to install."""

    model_config = ConfigDict(json_schema_extra={"example": {"spec": "@openclaw/voice-call@2026.9.6"}})

    spec: PluginSpec = Field(
        validation_alias=AliasChoices("spec", "id"),
        description="A package of its registry, with or without a version; `id` is accepted as well",
    )
    force: bool = Field(default=False, description="Also from a source that OpenClaw does not know")


@router.post("/install", status_code=HTTPStatus.ACCEPTED)
async def install(body: InstallPlugin, jobs: Jobs) -> Envelope[TaskAccepted]:
    """Install a plugin from its registry; the task shows the output while it runs."""
    accepted = await jobs.submit(InstallPluginJob(spec=body.spec, force=body.force))
    return ok(accepted, message="Plugin installation initiated", status=HTTPStatus.ACCEPTED)
