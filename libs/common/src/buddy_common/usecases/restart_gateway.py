"""Restart the gateway: stop and start, the only way that also applies a changed port or bind."""

from pydantic import BaseModel

from buddy_common.ports import Gateway, HostState, Progress
from buddy_common.usecases.start_gateway import start_gateway
from buddy_common.usecases.stop_gateway import end_gateway


class GatewayRestarted(BaseModel):
    """A new gateway process is ready."""

    oldPid: int | None  # noqa: N815 - a result that clients read
    pid: int
    port: int
    killed: bool
    stopSeconds: float  # noqa: N815 - a result that clients read
    startSeconds: float  # noqa: N815 - a result that clients read


async def restart_gateway(
    gateway: Gateway,
    host: HostState,
    *,
    progress: Progress,
    ceiling_seconds: float,
    drain_seconds: float,
    force: bool,
) -> GatewayRestarted:
    """Stop the gateway if it runs, then start it and wait until it is ready.

    Raises:
        GatewayStopError: the old process is still there.
        PortTakenError: another program listens on its port.
        OpenClawNotFoundError: there is no usable program.
        GatewayStartError: the new process exited or was not ready in time.
    """
    stopped = await end_gateway(gateway, host, progress=progress, drain_seconds=drain_seconds, force=force)
    started = await start_gateway(gateway, host, progress=progress, ceiling_seconds=ceiling_seconds)
    return GatewayRestarted(
        oldPid=stopped.pid,
        pid=started.pid,
        port=started.port,
        killed=stopped.killed,
        stopSeconds=stopped.seconds,
        startSeconds=started.seconds,
    )
