"""OpenClaw's plugins as jobs."""

from pydantic import BaseModel

from buddy_common.schemas.plugin_jobs import InstallPluginJob, SetPluginJob
from buddy_worker.edits.switches import enable_plugin
from buddy_worker.jobs import RunningJob
from buddy_worker.tasks.registry import handles
from buddy_worker.usecases.change_config import change_config
from buddy_worker.usecases.install_plugin import install_plugin
from buddy_worker.usecases.known_things import require_plugin


@handles(InstallPluginJob)
async def _install(job: RunningJob[InstallPluginJob]) -> BaseModel:
    host, asked = job.host, job.payload
    return await install_plugin(host.cli, host.openclaw, job, spec=asked.spec, force=asked.force)


@handles(SetPluginJob)
async def _set(job: RunningJob[SetPluginJob]) -> BaseModel:
    asked = job.payload
    await require_plugin(job, asked.id)
    return await change_config(
        job,
        lambda config: enable_plugin(config, asked.id, enabled=asked.enabled),
        base_hash=asked.base_hash,
    )
