"""The gateway's life cycle as jobs."""

from pydantic import BaseModel

from buddy_common.schemas.gateway_jobs import RestartGatewayJob, StartGatewayJob, StopGatewayJob
from buddy_common.usecases.follow_startup import Patience
from buddy_common.usecases.restart_gateway import restart_gateway
from buddy_common.usecases.start_gateway import start_gateway
from buddy_common.usecases.stop_gateway import stop_gateway
from buddy_worker.jobs import RunningJob
from buddy_worker.tasks.registry import handles


@handles(StartGatewayJob)
async def _start(job: RunningJob[StartGatewayJob]) -> BaseModel:
    host = job.host
    return await start_gateway(
        host.gateway,
        host.state,
        progress=job,
        patience=Patience.of(host.gateway_settings),
        lock_descriptors=job.lock_descriptors,
    )


@handles(StopGatewayJob)
async def _stop(job: RunningJob[StopGatewayJob]) -> BaseModel:
    host = job.host
    return await stop_gateway(
        host.gateway,
        host.state,
        progress=job,
        drain_seconds=host.gateway_settings.drain_seconds,
        force=job.payload.force,
    )


@handles(RestartGatewayJob)
async def _restart(job: RunningJob[RestartGatewayJob]) -> BaseModel:
    host = job.host
    return await restart_gateway(
        host.gateway,
        host.state,
        progress=job,
        patience=Patience.of(host.gateway_settings),
        drain_seconds=host.gateway_settings.drain_seconds,
        force=job.payload.force,
        asked_seconds_ago=job.seconds_since_first_start if job.attempt > 1 else None,
        lock_descriptors=job.lock_descriptors,
    )
