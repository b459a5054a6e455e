"""Stop the gateway: let it finish its chats, end it when it will not."""

import asyncio
import time

from pydantic import BaseModel

from buddy_common.errors import GatewayStopError
from buddy_common.ports import Gateway, HostState, Progress
from buddy_common.schemas.gateway import Desired
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity
from buddy_common.usecases.find_gateway import find_gateway
from buddy_common.usecases.follow_startup import POLL_SECONDS

# an idle gateway is gone in 1 to 10 s, in 31 s at load 20; a draining one says so itself
IDLE_STOP_SECONDS = 45.0
FORCED_STOP_SECONDS = 5.0
KILL_SECONDS = 20.0
DRAIN_SHOWN_SECONDS = 1.5  # an idle gateway says that it drains, too, but is gone at once


class GatewayStopped(BaseModel):
    """The gateway is down."""

    pid: int | None
    wasRunning: bool  # noqa: N815 - a result that clients read
    killed: bool
    exitCode: int | None = None  # noqa: N815 - a result that clients read
    signal: str | None = None
    seconds: float


async def stop_gateway(
    gateway: Gateway, host: HostState, *, progress: Progress, drain_seconds: float, force: bool
) -> GatewayStopped:
    """Stop the gateway and remember that it was wanted, so that nobody starts it again.

    A foreign program on the port is left alone: then the gateway is down already.

    Raises:
        GatewayStopError: it is still there after SIGKILL.
    """
    await host.set_desired(Desired.STOPPED)
    return await end_gateway(gateway, host, progress=progress, drain_seconds=drain_seconds, force=force)


async def end_gateway(
    gateway: Gateway, host: HostState, *, progress: Progress, drain_seconds: float, force: bool
) -> GatewayStopped:
    """End the gateway's process, whatever is wanted afterwards.

    Raises:
        GatewayStopError: it is still there after SIGKILL.
    """
    began = time.monotonic()
    found = await find_gateway(gateway, host)
    process = found.process
    if process is None:
        if found.foreign is not None:
            await progress.line(f"Port {await gateway.port()} is taken by {found.foreign}")
        held = await gateway.hold_down()
        await progress.line(
            f"The gateway is not running{', its service was about to start it' if held else ''}"
        )
        return GatewayStopped(pid=None, wasRunning=False, killed=False, seconds=0.0)
    await progress.stage("stopping", 10)
    await progress.line(f"Stopping the gateway (pid {process.pid})")
    ended = None
    if not await _is_frozen(gateway, process):  # else it would not even see a SIGTERM
        ended = await _ends_by_itself(
            gateway, process, progress=progress, drain_seconds=drain_seconds, force=force
        )
    killed = ended is None
    if ended is None:
        ended = await _kill(gateway, process, progress=progress)
    await progress.line(f"The gateway has ended ({ended})")
    return GatewayStopped(
        pid=process.pid,
        wasRunning=True,
        killed=killed,
        exitCode=ended.code,
        signal=ended.signal,
        seconds=round(time.monotonic() - began, 1),
    )


async def _ends_by_itself(
    gateway: Gateway,
    process: ProcessIdentity,
    *,
    progress: Progress,
    drain_seconds: float,
    force: bool,
) -> ProcessExit | None:
    """Send SIGTERM and wait: as long as it drains, up to the limit; else only as long as a stop takes.

    None: the time is up and it is still there.
    """
    await gateway.terminate(process)
    began = time.monotonic()
    limit = FORCED_STOP_SECONDS if force else min(IDLE_STOP_SECONDS, drain_seconds)
    while (ended := await gateway.poll_exit(process)) is None:
        elapsed = time.monotonic() - began
        if not force and (await gateway.probe()).draining:
            limit = drain_seconds
            if elapsed >= DRAIN_SHOWN_SECONDS:
                await progress.stage(f"draining running chats ({elapsed:.0f} s)", 20)
        if elapsed >= limit or await _is_frozen(gateway, process):
            return None
        await asyncio.sleep(POLL_SECONDS)
    return ended


async def _is_frozen(gateway: Gateway, process: ProcessIdentity) -> bool:
    """Whether it was stopped by SIGSTOP: it accepts connections and answers none."""
    usage = await gateway.usage(process)
    return usage is not None and usage.stopped


async def _kill(gateway: Gateway, process: ProcessIdentity, *, progress: Progress) -> ProcessExit:
    await progress.stage("killing", 30)
    await progress.line(f"It does not end by itself: SIGKILL to pid {process.pid}")
    await gateway.kill(process)
    deadline = time.monotonic() + KILL_SECONDS
    while (ended := await gateway.poll_exit(process)) is None:
        if time.monotonic() >= deadline:
            raise GatewayStopError(
                f"The gateway (pid {process.pid}) survived SIGKILL: it hangs in the kernel."
                " Look at its disk or mount, or reboot the host."
            )
        await asyncio.sleep(POLL_SECONDS)
    return ended
