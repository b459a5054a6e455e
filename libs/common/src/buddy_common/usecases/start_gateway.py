"""Start the gateway, and say so only when the process itself reports that it is ready."""

import asyncio
import time
from collections import deque

from pydantic import BaseModel

from buddy_common.errors import GatewayStartError, PortTakenError
from buddy_common.ports import Gateway, HostState, Progress
from buddy_common.schemas.gateway import Desired
from buddy_common.schemas.processes import ProcessIdentity
from buddy_common.usecases.find_gateway import find_gateway

POLL_SECONDS = 0.25
_REASON_LINES = 8


class GatewayStarted(BaseModel):
    """The gateway is ready."""

    pid: int
    port: int
    alreadyRunning: bool  # noqa: N815 - a result that clients read
    seconds: float


async def start_gateway(
    gateway: Gateway, host: HostState, *, progress: Progress, ceiling_seconds: float
) -> GatewayStarted:
    """Start the gateway unless it runs, and wait until it is ready.

    Raises:
        PortTakenError: another program listens on its port.
        OpenClawNotFoundError: there is no usable program.
        GatewayStartError: it exited, or was not ready when the ceiling was reached.
    """
    await host.set_desired(Desired.RUNNING)
    began = time.monotonic()
    position = await gateway.log_position()
    found = await find_gateway(gateway, host)
    if found.foreign is not None:
        raise PortTakenError(await gateway.port(), holder=str(found.foreign))
    process, already = found.process, found.process is not None
    if process is None:
        await progress.stage("starting", 50)
        await progress.command("openclaw gateway run")
        # a job that is cancelled just now must not leave a gateway that nobody has a record of
        process = await asyncio.shield(_spawn(gateway, host))
        await progress.line(f"Started the gateway (pid {process.pid})")
    startup = _Startup(gateway, host, process, progress, position)
    if not await startup.ready_within(ceiling_seconds):
        raise GatewayStartError(
            f"The gateway (pid {process.pid}) was not ready after {ceiling_seconds:.0f} s and is left"
            f" running. {startup.reason()}"
        )
    seconds = round(time.monotonic() - began, 1)
    await progress.stage("ready", 100)
    port = await gateway.port()
    await progress.line(f"The gateway is ready on port {port} (pid {process.pid})")
    return GatewayStarted(pid=process.pid, port=port, alreadyRunning=already, seconds=seconds)


async def _spawn(gateway: Gateway, host: HostState) -> ProcessIdentity:
    process = await gateway.spawn()
    await host.set_spawned(process)
    return process


class _Startup:
    """Follows one starting process: its end, its log, its port, its own word."""

    def __init__(
        self,
        gateway: Gateway,
        host: HostState,
        process: ProcessIdentity,
        progress: Progress,
        position: int,
    ) -> None:
        self._gateway = gateway
        self._host = host
        self._process = process
        self._progress = progress
        self._position = position
        self._tail: deque[str] = deque(maxlen=_REASON_LINES)
        self._failing: list[str] = []

    async def ready_within(self, ceiling_seconds: float) -> bool:
        """Wait until the process is ready; False when the ceiling was reached.

        Raises:
            GatewayStartError: it ended.
        """
        deadline = time.monotonic() + ceiling_seconds
        while time.monotonic() < deadline:
            ended = await self._gateway.poll_exit(self._process)
            await self._read_log()
            if ended is not None:
                await self._host.set_exit_code(ended.code)
                raise GatewayStartError(f"The gateway ended before it was ready ({ended}). {self.reason()}")
            if await self._says_ready():
                return True
            await asyncio.sleep(POLL_SECONDS)
        return False

    async def _says_ready(self) -> bool:
        if await self._gateway.listener() != self._process:
            return False
        probe = await self._gateway.probe()
        if not probe.ready:
            self._failing = probe.failing
            waiting_for = ", ".join(probe.failing) or "its first answer"
            await self._progress.stage(f"listening, waiting for {waiting_for}", 80)
        return probe.ready

    async def _read_log(self) -> None:
        lines, self._position = await self._gateway.log_lines(self._position)
        for line in lines:
            self._tail.append(line)
            await self._progress.line(line)

    def reason(self) -> str:
        """Return what OpenClaw itself said last."""
        if self._failing:
            return f"It waits for: {', '.join(self._failing)}."
        return "It said: " + " | ".join(self._tail) if self._tail else "It said nothing."
