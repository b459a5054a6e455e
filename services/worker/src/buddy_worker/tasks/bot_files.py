"""Files of bots as jobs."""

from pydantic import BaseModel

from buddy_common.adapters.refresh_requests import RefreshRequests
from buddy_common.schemas.bot_file_jobs import WriteBotFileJob
from buddy_worker.jobs import RunningJob
from buddy_worker.tasks.registry import handles
from buddy_worker.usecases.find_workspace import find_workspace
from buddy_worker.usecases.write_bot_file import write_bot_file


@handles(WriteBotFileJob)
async def _write(job: RunningJob[WriteBotFileJob]) -> BaseModel:
    host, asked = job.host, job.payload
    workspace = await find_workspace(
        host.read_model, RefreshRequests(host.redis), node=host.node, bot=asked.bot
    )
    return await write_bot_file(workspace, name=asked.name, content=asked.content, if_match=asked.if_match)
