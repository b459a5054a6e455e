"""OpenClaw's plugins."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from buddy_api.changes import BaseHash, Change, Changed, change_responses, job_responses
from buddy_api.deps import JOB_ERRORS, LIST_ERRORS, Jobs
from buddy_api.envelope import Envelope, ok, problems
from buddy_api.mirrored import Mirrored, Rows
from buddy_api.node_lists import Mirror
from buddy_api.openclaw_schemas import Plugin
from buddy_common.errors import BundledPluginError, GatewayNotRunningError, UnknownPluginError
from buddy_common.schemas.names import PluginId
from buddy_common.schemas.plugin_jobs import (
    InstallPluginJob,
    PluginSpec,
    ReloadPluginsJob,
    SetPluginJob,
    UninstallPluginJob,
    UpdatePluginsJob,
)
from buddy_common.schemas.resources import Resource
from buddy_common.schemas.tasks import TaskAccepted

router = APIRouter(prefix="/v1/openclaw/plugins", tags=["plugins"])


class InstallPlugin(BaseModel):
    """Which plugin to install."""

    model_config = ConfigDict(json_schema_extra={"example": {"spec": "@openclaw/voice-call@2026.9.6"}})

    spec: PluginSpec = Field(
        validation_alias=AliasChoices("spec", "id"),
        description="A package of its registry, with or without a version; `id` is accepted as well",
    )
    force: bool = Field(default=False, description="Also from a source that OpenClaw does not know")


class PluginOf(BaseModel):
    """Which plugin."""

    model_config = ConfigDict(json_schema_extra={"example": {"id": "openclaw-weixin"}})

    id: PluginId


class PluginOrAll(BaseModel):
    """Which plugin; without an id, all that were installed."""

    model_config = ConfigDict(json_schema_extra={"example": {"id": "openclaw-weixin"}})

    id: PluginId | None = None


@router.get("", response_model=Envelope[Mirrored[list[Plugin]]], responses=problems(*LIST_ERRORS))
async def plugins(
    mirror: Mirror,
    *,
    installed: Annotated[bool, Query(description="Without those that OpenClaw brings along")] = False,
) -> Response:
    """List the plugins that OpenClaw knows."""
    listed = await mirror.get(Resource.PLUGINS)
    if installed:
        listed, _ = await mirror.part(Resource.PLUGINS, listed, "installed", _installed)
    return await mirror.nested(listed)


def _installed(rows: Rows) -> tuple[Rows, int]:
    # the newer generation also lists what could be installed
    found = [row for row in rows if row.get("origin") != "bundled" and row.get("installed") is not False]
    return found, len(found)


@router.post("/install", status_code=HTTPStatus.ACCEPTED, responses=problems(*JOB_ERRORS))
async def install(body: InstallPlugin, jobs: Jobs) -> Envelope[TaskAccepted]:
    """Install a plugin from its registry; the task shows the output while it runs."""
    accepted = await jobs.submit(InstallPluginJob(spec=body.spec, force=body.force))
    return ok(accepted, message="Plugin installation initiated", status=HTTPStatus.ACCEPTED)


@router.post("/enable", response_model=Envelope[Changed], responses=change_responses(UnknownPluginError))
async def enable(body: PluginOf, change: Change, base: BaseHash) -> Response:
    """Turn a plugin on."""
    return await change.make(SetPluginJob(id=body.id, enabled=True, base_hash=base), "插件已启用")


@router.post("/disable", response_model=Envelope[Changed], responses=change_responses(UnknownPluginError))
async def disable(body: PluginOf, change: Change, base: BaseHash) -> Response:
    """Turn a plugin off; it stays installed."""
    return await change.make(SetPluginJob(id=body.id, enabled=False, base_hash=base), "插件已禁用")


@router.post("/update", status_code=HTTPStatus.ACCEPTED, responses=problems(*JOB_ERRORS))
async def update(jobs: Jobs, body: PluginOrAll | None = None) -> Envelope[TaskAccepted]:
    """Update one plugin, or all that were installed; one that breaks the gateway is rolled back."""
    accepted = await jobs.submit(UpdatePluginsJob(id=body.id if body else None))
    return ok(accepted, message="Plugin update initiated", status=HTTPStatus.ACCEPTED)


@router.post(
    "/reload",
    response_model=Envelope[Changed],
    responses=job_responses(UnknownPluginError, GatewayNotRunningError),
)
async def reload(change: Change, body: PluginOrAll | None = None) -> Response:
    """Load one plugin, or all that were installed, anew; `how` says whether that took a restart."""
    return await change.make(ReloadPluginsJob(id=body.id if body else None), "插件已重新加载")


@router.delete(
    "/{id:path}",
    response_model=Envelope[Changed],
    responses=change_responses(UnknownPluginError, BundledPluginError),
)
async def uninstall(
    plugin: Annotated[PluginId, Path(alias="id", description="May hold slashes")], change: Change
) -> Response:
    """Remove a plugin that was installed; 403 for one that is part of OpenClaw."""
    return await change.make(UninstallPluginJob(id=plugin), "插件已卸载")
