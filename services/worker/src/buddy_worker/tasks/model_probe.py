"""Tests of models as jobs."""

import asyncio

from pydantic import BaseModel

from buddy_common.adapters.config_include import read_effective_config
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.processes import child_environment
from buddy_common.schemas.model_probe_jobs import ProbeModelJob
from buddy_common.usecases.find_gateway import find_gateway
from buddy_worker.jobs import RunningJob
from buddy_worker.tasks.registry import handles
from buddy_worker.usecases.probe_model import probe_model


@handles(ProbeModelJob)
async def _probe(job: RunningJob[ProbeModelJob]) -> BaseModel:
    host, settings = job.host, job.host.gateway_settings
    config = await asyncio.to_thread(read_effective_config, settings.config_file)
    return await probe_model(
        config or {},
        provider=job.payload.provider,
        model=job.payload.model,
        environment=await _environment(host),
        state_dir=settings.config_dir,
    )


async def _environment(host: HostPlane) -> dict[str, str]:
    """Return the variables of the gateway, or those that we would start it with."""
    found = await find_gateway(host.gateway, host.state)
    given = {} if found.process is None else await host.gateway.environment(found.process)
    return given or child_environment(also=host.gateway_settings.passed_on)
