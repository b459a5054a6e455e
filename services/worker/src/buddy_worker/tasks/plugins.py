"""OpenClaw's plugins as jobs."""

from pydantic import BaseModel

from buddy_common.schemas.plugin_jobs import InstallPluginJob
from buddy_worker.jobs import RunningJob
from buddy_worker.tasks.registry import handles
from buddy_worker.usecases.install_plugin import install_plugin


@handles(InstallPluginJob)
async def _install(job: RunningJob[InstallPluginJob]) -> BaseModel:
    host, asked = job.host, job.payload
    return await install_plugin(host.cli, host.openclaw, job, spec=asked.spec, force=asked.force)
