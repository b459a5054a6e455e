"""The switch of the gateway's chat as a job."""

from pydantic import BaseModel

from buddy_common.schemas.chat_jobs import EnableChatJob
from buddy_worker.edits.switches import enable_chat
from buddy_worker.jobs import RunningJob
from buddy_worker.tasks.registry import handles
from buddy_worker.usecases.change_config import change_config


@handles(EnableChatJob)
async def _enable(job: RunningJob[EnableChatJob]) -> BaseModel:
    asked = job.payload
    return await change_config(
        job, lambda config: enable_chat(config, enabled=asked.enabled), base_hash=asked.base_hash
    )
