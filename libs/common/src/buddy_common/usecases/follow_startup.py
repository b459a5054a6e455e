"""Follow a starting gateway: its end, its log, its port, its own word. Progress decides, not a fixed time."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass

from buddy_common.errors import GatewayStartError, ServiceManagerError
from buddy_common.ports import Gateway, Progress
from buddy_common.schemas.gateway import GatewayOwner, Probe
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity
from buddy_common.settings import GatewaySettings

POLL_SECONDS = 0.25
SERVICE_LOOK_SECONDS = 1.0  # each look runs a program
CPU_LOOK_SECONDS = 1.0  # to add up a family of processes costs milliseconds of our own
# an idle Node.js wakes up now and then; a start that gets anywhere uses more
PROGRESS_CPU_SECONDS = 0.05
# OpenClaw names what is wrong near the end of what it says
_REASON_LINES = 8


@dataclass(frozen=True)
class Patience:
    """How long a start may take. It took 6 s on an idle machine, 118 s on a loaded one."""

    ceiling_seconds: float  # however much it does
    stall_seconds: float  # without any progress: no CPU time, no log line, no new phase
    drain_seconds: float = 330.0  # of a process before it that is on its way out

    @classmethod
    def of(cls, settings: GatewaySettings) -> "Patience":
        """Return what this node is set to."""
        return cls(
            ceiling_seconds=settings.start_ceiling_seconds,
            stall_seconds=settings.start_stall_seconds,
            drain_seconds=settings.drain_seconds,
        )


@dataclass(frozen=True)
class Up:
    """A gateway that is up: the process that listens, and what it says of itself."""

    process: ProcessIdentity
    probe: Probe


async def follow_startup(
    gateway: Gateway,
    process: ProcessIdentity,
    *,
    progress: Progress,
    patience: Patience,
    position: int,
    fresh: bool,
    holds_down: bool = True,
) -> Up:
    """Wait until the process, or one that came from it, is up.

    `position` is where the gateway's log ended before the start; `fresh`: the process began with it;
    `holds_down`: of one that has ended, no service starts another, which would end the same way.

    Raises:
        GatewayStartError: it ended, makes no progress, or was not up at the ceiling. A process that
            lives is left running: the next start finds it.
    """
    startup = _Startup(gateway, process, progress, patience, position, holds_down=holds_down)
    if not fresh:
        await startup.skip_what_was_said()
    return await startup.until_up()


class _Startup:
    def __init__(
        self,
        gateway: Gateway,
        process: ProcessIdentity,
        progress: Progress,
        patience: Patience,
        position: int,
        *,
        holds_down: bool,
    ) -> None:
        self._gateway = gateway
        self._process = process
        self._progress = progress
        self._patience = patience
        self._position = position
        self._holds_down = holds_down
        self._service_position: str | None = None
        self._service_looked_at = 0.0
        self._restarted = False
        self._tail: deque[str] = deque(maxlen=_REASON_LINES)
        self._failing: list[str] = []
        self._began = self._moved_at = self._cpu_looked_at = time.monotonic()
        self._cpu = 0.0

    async def skip_what_was_said(self) -> None:
        """Leave out what a service has on record from before; it may still be the reason of an end."""
        lines, self._service_position = await self._gateway.service_lines(self._process, None)
        self._tail.extend(lines)

    async def until_up(self) -> Up:
        while True:
            ended = await self._gateway.poll_exit(self._process)
            await self._read_log(to_the_end=ended is not None)
            if ended is not None:
                await self._go_on_after(ended)
                continue
            up = await self._look()
            if up is not None:
                await self._read_log(to_the_end=True)
                return up
            await self._look_at_cpu()
            await self._check_patience()
            await asyncio.sleep(POLL_SECONDS)

    async def _look(self) -> Up | None:
        listener = await self._gateway.listener()
        if listener is None or not await self._gateway.belongs_to(listener, self._process):
            return None
        probe = await self._gateway.probe()
        if probe.started:
            return Up(listener, probe)
        if probe.live and probe.failing != self._failing:
            self._failing = probe.failing
            self._moved_at = time.monotonic()
        waiting_for = ", ".join(self._failing) or "its first answer"
        await self._progress.stage(f"listening, waiting for {waiting_for}", 80)
        return None

    async def _go_on_after(self, ended: ProcessExit) -> None:
        """Follow the next process where OpenClaw restarts itself: it ends for that."""
        successor = None if self._restarted else await self._successor(ended)
        if successor is None:
            raise await self._ended(ended)
        await self._progress.line(f"It restarts itself (pid {successor.pid})")
        self._restarted = True
        self._process, self._service_position, self._failing = successor, None, []
        self._cpu, self._moved_at = 0.0, time.monotonic()

    async def _successor(self, ended: ProcessExit) -> ProcessIdentity | None:
        """Return the process in its place: in a service, one that ended with 0 gets one."""
        if ended.code == 0:
            return await self._gateway.successor(self._process)
        unknown = ended.code is None and ended.signal is None
        if unknown and await self._gateway.owner(self._process) is GatewayOwner.PLAIN:
            return await self._detached()
        return None

    async def _detached(self) -> ProcessIdentity | None:
        """Wait for the process that one which somebody started by hand leaves behind: it is no child of it.

        It is known by its port only.
        """
        await self._progress.stage("waiting for a process in its place", 60)
        give_up = time.monotonic() + self._patience.stall_seconds
        while time.monotonic() < give_up:
            listener = await self._gateway.listener()
            if listener is not None and listener.is_gateway and listener != self._process:
                return listener
            await asyncio.sleep(POLL_SECONDS)
        return None

    async def _read_log(self, *, to_the_end: bool) -> None:
        lines, self._position = await self._gateway.log_lines(self._position)
        now = time.monotonic()
        if to_the_end or now - self._service_looked_at >= SERVICE_LOOK_SECONDS:
            self._service_looked_at = now
            more, self._service_position = await self._gateway.service_lines(
                self._process, self._service_position
            )
            lines += more
        for line in lines:
            self._moved_at = time.monotonic()
            self._tail.append(line)
            await self._progress.line(line)

    async def _look_at_cpu(self) -> None:
        now = time.monotonic()
        if now - self._cpu_looked_at < CPU_LOOK_SECONDS:
            return
        self._cpu_looked_at = now
        used = await self._gateway.cpu_seconds(self._process)
        if used - self._cpu >= PROGRESS_CPU_SECONDS:
            self._cpu = used
            self._moved_at = now

    async def _check_patience(self) -> None:
        now = time.monotonic()
        if now - self._began >= self._patience.ceiling_seconds:
            raise await self._not_up(f"was not up after {self._patience.ceiling_seconds:.0f} s")
        if now - self._moved_at >= self._patience.stall_seconds:
            raise await self._not_up(f"has made no progress for {self._patience.stall_seconds:.0f} s")

    async def _not_up(self, what: str) -> GatewayStartError:
        waits = f"It waits for: {', '.join(self._failing)}." if self._failing else await self._said()
        return GatewayStartError(
            f"The gateway (pid {self._process.pid}) {what} and is left running. {waits}",
            pid=self._process.pid,
            failing=self._failing,
        )

    async def _ended(self, how: ProcessExit) -> GatewayStartError:
        note = await self._hold_down() if self._holds_down else ""
        return GatewayStartError(
            f"The gateway ended before it was ready ({how}). {await self._said()}{note}",
            pid=self._process.pid,
            exitCode=how.code,
            signal=how.signal,
            reason=list(self._tail),
        )

    async def _hold_down(self) -> str:
        """Keep a service from trying again and again, and return what people should know of that."""
        try:
            held = await self._gateway.hold_down()
        except ServiceManagerError as exc:
            return f" Its service tries again: {exc.message}"
        return " Its service was about to try again and was stopped." if held else ""

    async def _said(self) -> str:
        """Return what OpenClaw itself said last, or where people may read it."""
        if self._tail:
            return "It said: " + " | ".join(self._tail)
        command = await self._gateway.log_command(self._process)
        return "It said nothing." if command is None else f"`{command}` may tell why."
