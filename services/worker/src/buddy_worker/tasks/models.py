"""Changes of providers and models as jobs."""

from pydantic import BaseModel

from buddy_common.schemas.model_jobs import (
    DeleteModelJob,
    DeleteProviderJob,
    SetDefaultModelJob,
    SetProviderJob,
    SetProviderModelJob,
)
from buddy_worker.edits import models
from buddy_worker.jobs import RunningJob
from buddy_worker.tasks.registry import handles
from buddy_worker.usecases.change_config import change_config
from buddy_worker.usecases.known_things import known_models


@handles(SetProviderJob)
async def _set_provider(job: RunningJob[SetProviderJob]) -> BaseModel:
    asked = job.payload
    return await change_config(
        job,
        lambda config: models.set_provider(config, asked.provider, asked.config),
        base_hash=asked.base_hash,
    )


@handles(DeleteProviderJob)
async def _delete_provider(job: RunningJob[DeleteProviderJob]) -> BaseModel:
    asked = job.payload
    return await change_config(
        job, lambda config: models.delete_provider(config, asked.provider), base_hash=asked.base_hash
    )


@handles(SetProviderModelJob)
async def _set_model(job: RunningJob[SetProviderModelJob]) -> BaseModel:
    asked = job.payload
    return await change_config(
        job,
        lambda config: models.set_model(config, asked.provider, asked.model, asked.config),
        base_hash=asked.base_hash,
    )


@handles(DeleteModelJob)
async def _delete_model(job: RunningJob[DeleteModelJob]) -> BaseModel:
    asked = job.payload
    return await change_config(
        job,
        lambda config: models.delete_model(config, asked.provider, asked.model),
        base_hash=asked.base_hash,
    )


@handles(SetDefaultModelJob)
async def _set_default(job: RunningJob[SetDefaultModelJob]) -> BaseModel:
    asked, known = job.payload, await known_models(job.host)
    return await change_config(
        job,
        lambda config: models.set_default(config, asked.model, known=known),
        base_hash=asked.base_hash,
    )
