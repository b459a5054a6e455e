"""Start the gateway, and say so only when the process itself reports that it is up."""

import asyncio
import time
from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from buddy_common.errors import PortTakenError
from buddy_common.ports import Gateway, HostState, Progress
from buddy_common.schemas.gateway import Desired, GatewayOwner
from buddy_common.schemas.processes import ProcessIdentity
from buddy_common.usecases.find_gateway import find_gateway
from buddy_common.usecases.follow_startup import POLL_SECONDS, Patience, follow_startup


class GatewayStarted(BaseModel):
    """The gateway is up."""

    pid: int
    port: int
    owner: GatewayOwner
    alreadyRunning: bool  # noqa: N815 - a result that clients read
    ready: bool
    failing: list[str]  # what keeps it from being ready: a channel that is down, say
    seconds: float


async def start_gateway(
    gateway: Gateway,
    host: HostState,
    *,
    progress: Progress,
    patience: Patience,
    environment: Mapping[str, str] | None = None,
    lock_descriptors: Sequence[int] = (),
) -> GatewayStarted:
    """Start the gateway unless it runs, and wait until it is up.

    `environment` is what the process before it was given, so that a restart keeps it. One that drains
    is on its way out, and nothing calls it back: its end is waited for, then a new one started.

    Raises:
        PortTakenError: another program listens on its port.
        OpenClawNotFoundError: there is no usable program.
        ServiceManagerError: the service that owns it cannot be started.
        GatewayStartError: it exited, made no progress, or was not up when the ceiling was reached.
    """
    await host.set_desired(Desired.RUNNING)
    return await bring_up(
        gateway,
        host,
        progress=progress,
        patience=patience,
        environment=environment,
        lock_descriptors=lock_descriptors,
    )


async def bring_up(
    gateway: Gateway,
    host: HostState,
    *,
    progress: Progress,
    patience: Patience,
    environment: Mapping[str, str] | None = None,
    lock_descriptors: Sequence[int] = (),
) -> GatewayStarted:
    """Do the same, whatever is wanted afterwards.

    Raises:
        PortTakenError: another program listens on its port.
        OpenClawNotFoundError: there is no usable program.
        ServiceManagerError: the service that owns it cannot be started.
        GatewayStartError: it exited, made no progress, or was not up when the ceiling was reached.
    """
    began = time.monotonic()
    position = await gateway.log_position()
    found = await find_gateway(gateway, host)
    if found.foreign is not None:
        raise PortTakenError(await gateway.port(), holder=str(found.foreign))
    process = found.process
    if process is not None and await _is_leaving(gateway, process, progress, seconds=patience.drain_seconds):
        process = None
    already = process is not None
    if process is None:
        await progress.stage("starting", 50)
        await progress.command(await gateway.start_command())
        process = await gateway.start(environment or {}, lock_descriptors=lock_descriptors)
        await progress.line(f"Started the gateway (pid {process.pid})")
    up = await follow_startup(
        gateway, process, progress=progress, patience=patience, position=position, fresh=not already
    )
    await progress.stage("ready" if up.probe.ready else "started", 100)
    port = await gateway.port()
    await progress.line(f"The gateway is {_state(up.probe.failing)} on port {port} (pid {up.process.pid})")
    return GatewayStarted(
        pid=up.process.pid,
        port=port,
        owner=await gateway.owner(up.process),
        alreadyRunning=already,
        ready=up.probe.ready,
        failing=up.probe.failing,
        seconds=round(time.monotonic() - began, 1),
    )


async def _is_leaving(
    gateway: Gateway, process: ProcessIdentity, progress: Progress, *, seconds: float
) -> bool:
    """Whether the process drains, and has ended meanwhile."""
    if not (await gateway.probe()).draining:
        return False
    await progress.line(f"The gateway (pid {process.pid}) is about to end: it finishes its chats first")
    deadline = time.monotonic() + seconds
    while await gateway.poll_exit(process) is None:
        if time.monotonic() >= deadline:
            return False
        await progress.stage("waiting for the old process to finish its chats", 20)
        await asyncio.sleep(POLL_SECONDS)
    return True


def _state(failing: list[str]) -> str:
    return f"started, but not ready ({', '.join(failing)})," if failing else "ready"
