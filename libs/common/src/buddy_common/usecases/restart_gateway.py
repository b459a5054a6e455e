"""Restart the gateway: stop and start, the only way that also applies a changed port or bind."""

from collections.abc import Sequence

from pydantic import BaseModel

from buddy_common.ports import Gateway, HostState, Progress
from buddy_common.schemas.gateway import GatewayOwner
from buddy_common.schemas.processes import ProcessIdentity
from buddy_common.usecases.find_gateway import find_gateway
from buddy_common.usecases.follow_startup import Patience
from buddy_common.usecases.start_gateway import start_gateway
from buddy_common.usecases.stop_gateway import GatewayStopped, end_gateway


class GatewayRestarted(BaseModel):
    """A new gateway process is up."""

    oldPid: int | None  # noqa: N815 - a result that clients read
    pid: int
    port: int
    owner: GatewayOwner
    ready: bool
    failing: list[str]
    killed: bool
    stopSeconds: float  # noqa: N815 - a result that clients read
    startSeconds: float  # noqa: N815 - a result that clients read


async def restart_gateway(
    gateway: Gateway,
    host: HostState,
    *,
    progress: Progress,
    patience: Patience,
    drain_seconds: float,
    force: bool,
    asked_seconds_ago: float | None = None,
    lock_descriptors: Sequence[int] = (),
) -> GatewayRestarted:
    """Stop the gateway if it runs, then start it and wait until it is up.

    `asked_seconds_ago` is given by whoever repeats a restart that broke off: a process that is younger
    than that is the new one already, and is only waited for.

    Raises:
        GatewayStopError: the old process is still there.
        PortTakenError: another program listens on its port.
        OpenClawNotFoundError: there is no usable program.
        ServiceManagerError: the service that owns it does not obey.
        GatewayStartError: the new process exited or was not up in time.
    """
    old = (await find_gateway(gateway, host)).process
    environment = await gateway.environment(old) if old is not None else {}
    if old is not None and await _is_younger(gateway, old, asked_seconds_ago):
        await progress.line(f"The new gateway (pid {old.pid}) was started already")
        stopped = GatewayStopped(pid=None, wasRunning=False, killed=False, seconds=0.0)
    else:
        stopped = await end_gateway(
            gateway, host, progress=progress, drain_seconds=drain_seconds, force=force
        )
    started = await start_gateway(
        gateway,
        host,
        progress=progress,
        patience=patience,
        environment=environment,
        lock_descriptors=lock_descriptors,
    )
    return GatewayRestarted(
        oldPid=stopped.pid,
        pid=started.pid,
        port=started.port,
        owner=started.owner,
        ready=started.ready,
        failing=started.failing,
        killed=stopped.killed,
        stopSeconds=stopped.seconds,
        startSeconds=started.seconds,
    )


async def _is_younger(gateway: Gateway, process: ProcessIdentity, seconds: float | None) -> bool:
    if seconds is None:
        return False
    usage = await gateway.usage(process)
    return usage is not None and usage.age_seconds < seconds
