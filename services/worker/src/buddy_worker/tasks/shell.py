"""The commands of the restricted shell as jobs."""

from pydantic import BaseModel

from buddy_common.schemas.shell_jobs import RunCommandJob
from buddy_worker.jobs import RunningJob
from buddy_worker.tasks.registry import handles
from buddy_worker.usecases.run_command import run_command


@handles(RunCommandJob)
async def _run(job: RunningJob[RunCommandJob]) -> BaseModel:
    return await run_command(job, job.payload.command)
