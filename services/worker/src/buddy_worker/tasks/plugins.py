"""OpenClaw's plugins as jobs."""

from celery import shared_task
from pydantic import BaseModel

from buddy_common.schemas.jobs import InstallPluginJob
from buddy_worker.jobs import RunningJob
from buddy_worker.runner import JobNotCompletedError, run_job
from buddy_worker.usecases.install_plugin import install_plugin

EXPECTED = (JobNotCompletedError,)  # logged in one line, without a traceback


@shared_task(name=InstallPluginJob.task, throws=EXPECTED)
def install_plugin_task(task_id: str) -> None:
    """Install a plugin."""
    run_job(task_id, InstallPluginJob, _install)


async def _install(job: RunningJob[InstallPluginJob]) -> BaseModel:
    host, asked = job.host, job.payload
    return await install_plugin(host.cli, host.openclaw, job, spec=asked.spec, force=asked.force)
