"""OpenClaw's plugins as jobs."""

from pydantic import BaseModel

from buddy_common.schemas.plugin_jobs import (
    InstallPluginJob,
    ReloadPluginsJob,
    SetPluginJob,
    UninstallPluginJob,
    UpdatePluginsJob,
)
from buddy_worker.edits.switches import enable_plugin
from buddy_worker.jobs import RunningJob
from buddy_worker.tasks.registry import handles
from buddy_worker.usecases.change_config import change_config
from buddy_worker.usecases.install_plugin import install_plugin
from buddy_worker.usecases.known_things import require_plugin
from buddy_worker.usecases.reload_plugins import reload_plugins
from buddy_worker.usecases.uninstall_plugin import uninstall_plugin
from buddy_worker.usecases.update_plugins import update_plugins


@handles(InstallPluginJob)
async def _install(job: RunningJob[InstallPluginJob]) -> BaseModel:
    return await install_plugin(job, spec=job.payload.spec, force=job.payload.force)


@handles(UninstallPluginJob)
async def _uninstall(job: RunningJob[UninstallPluginJob]) -> BaseModel:
    return await uninstall_plugin(job, plugin=job.payload.id)


@handles(UpdatePluginsJob)
async def _update(job: RunningJob[UpdatePluginsJob]) -> BaseModel:
    return await update_plugins(job, only=job.payload.id)


@handles(ReloadPluginsJob)
async def _reload(job: RunningJob[ReloadPluginsJob]) -> BaseModel:
    return await reload_plugins(job, only=job.payload.id)


@handles(SetPluginJob)
async def _set(job: RunningJob[SetPluginJob]) -> BaseModel:
    asked = job.payload
    await require_plugin(job, asked.id)
    return await change_config(
        job,
        lambda config: enable_plugin(config, asked.id, enabled=asked.enabled),
        base_hash=asked.base_hash,
    )
