"""The gateway's life cycle as jobs."""

from celery import shared_task
from pydantic import BaseModel

from buddy_common.schemas.jobs import RestartGatewayJob, StartGatewayJob, StopGatewayJob
from buddy_common.settings import GatewaySettings
from buddy_common.usecases.follow_startup import Patience
from buddy_common.usecases.restart_gateway import restart_gateway
from buddy_common.usecases.start_gateway import start_gateway
from buddy_common.usecases.stop_gateway import stop_gateway
from buddy_worker.jobs import RunningJob
from buddy_worker.runner import JobNotCompletedError, run_job

EXPECTED = (JobNotCompletedError,)  # logged in one line, without a traceback


@shared_task(name=StartGatewayJob.task, throws=EXPECTED)
def start_gateway_task(task_id: str) -> None:
    """Start the gateway."""
    run_job(task_id, StartGatewayJob, _start)


@shared_task(name=StopGatewayJob.task, throws=EXPECTED)
def stop_gateway_task(task_id: str) -> None:
    """Stop the gateway."""
    run_job(task_id, StopGatewayJob, _stop)


@shared_task(name=RestartGatewayJob.task, throws=EXPECTED)
def restart_gateway_task(task_id: str) -> None:
    """Restart the gateway."""
    run_job(task_id, RestartGatewayJob, _restart)


async def _start(job: RunningJob[StartGatewayJob]) -> BaseModel:
    host = job.host
    return await start_gateway(
        host.gateway,
        host.state,
        progress=job,
        patience=_patience(host.gateway_settings),
        lock_descriptors=job.lock_descriptors,
    )


async def _stop(job: RunningJob[StopGatewayJob]) -> BaseModel:
    host = job.host
    return await stop_gateway(
        host.gateway,
        host.state,
        progress=job,
        drain_seconds=host.gateway_settings.drain_seconds,
        force=job.payload.force,
    )


async def _restart(job: RunningJob[RestartGatewayJob]) -> BaseModel:
    host = job.host
    return await restart_gateway(
        host.gateway,
        host.state,
        progress=job,
        patience=_patience(host.gateway_settings),
        drain_seconds=host.gateway_settings.drain_seconds,
        force=job.payload.force,
        asked_seconds_ago=job.seconds_since_first_start if job.attempt > 1 else None,
        lock_descriptors=job.lock_descriptors,
    )


def _patience(settings: GatewaySettings) -> Patience:
    return Patience(
        ceiling_seconds=settings.start_ceiling_seconds,
        stall_seconds=settings.start_stall_seconds,
        drain_seconds=settings.drain_seconds,
    )
