"""Changes of bots as jobs."""

from pydantic import BaseModel

from buddy_common.schemas.bot_jobs import (
    AddBotJob,
    DeleteBotJob,
    RestoreBotJob,
    SetBotIdentityJob,
    SetBotModelJob,
    TemplateBotJob,
    UpdateBotJob,
)
from buddy_worker.edits import bots
from buddy_worker.jobs import RunningJob
from buddy_worker.tasks.registry import handles
from buddy_worker.usecases.add_bot import add_bot
from buddy_worker.usecases.change_config import change_config
from buddy_worker.usecases.delete_bot import delete_bot
from buddy_worker.usecases.known_things import is_new_openclaw, known_models
from buddy_worker.usecases.restore_bot import restore_bot
from buddy_worker.usecases.update_bot import update_bot


@handles(AddBotJob)
async def _add(job: RunningJob[AddBotJob]) -> BaseModel:
    asked = job.payload
    return await add_bot(
        job,
        bot=asked.id,
        name=asked.name or asked.id,
        emoji=asked.emoji,
        model=asked.model,
        workspace=asked.workspace,
        files={},
        base_hash=asked.base_hash,
    )


@handles(TemplateBotJob)
async def _template(job: RunningJob[TemplateBotJob]) -> BaseModel:
    asked = job.payload
    return await add_bot(
        job,
        bot=asked.id,
        name=asked.name,
        emoji=asked.emoji,
        model=asked.model,
        workspace=None,
        files=asked.files,
        base_hash=asked.base_hash,
    )


@handles(UpdateBotJob)
async def _update(job: RunningJob[UpdateBotJob]) -> BaseModel:
    return await update_bot(
        job, bot=job.payload.id, fields=job.payload.config, base_hash=job.payload.base_hash
    )


@handles(SetBotIdentityJob)
async def _set_identity(job: RunningJob[SetBotIdentityJob]) -> BaseModel:
    asked, is_new = job.payload, await is_new_openclaw(job.host)
    fields = {name: value for name in bots.IDENTITY if (value := getattr(asked, name)) is not None}
    return await change_config(
        job,
        lambda config: bots.set_identity(config, asked.id, fields, is_new=is_new),
        base_hash=asked.base_hash,
    )


@handles(SetBotModelJob)
async def _set_model(job: RunningJob[SetBotModelJob]) -> BaseModel:
    asked, is_new, known = job.payload, await is_new_openclaw(job.host), await known_models(job.host)
    return await change_config(
        job,
        lambda config: bots.set_model(config, asked.id, asked.model, is_new=is_new, known=known),
        base_hash=asked.base_hash,
    )


@handles(DeleteBotJob)
async def _delete(job: RunningJob[DeleteBotJob]) -> BaseModel:
    return await delete_bot(job, bot=job.payload.id, base_hash=job.payload.base_hash)


@handles(RestoreBotJob)
async def _restore(job: RunningJob[RestoreBotJob]) -> BaseModel:
    asked = job.payload
    return await restore_bot(job, bot=asked.id, archive=asked.archive, base_hash=asked.base_hash)
