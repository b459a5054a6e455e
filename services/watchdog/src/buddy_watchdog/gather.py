"""Collect the evidence of one look: the process, the port, the health routes, the socket, disk and files."""

import asyncio
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import structlog

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.init_socket import listens
from buddy_common.errors import StateUnwritableError
from buddy_common.schemas.gateway import OpenClawInstall
from buddy_common.schemas.job import NodeLock
from buddy_common.schemas.processes import ProcessIdentity
from buddy_common.usecases.observe_gateway import Observation, look_closely
from buddy_watchdog.config_look import ConfigLooker, judged_by_gateway
from buddy_watchdog.evidence import ConfigLook, Evidence, seconds_after_boot
from buddy_watchdog.held_socket import HeldSocket

log = structlog.get_logger(__name__)

SAID_BYTES = 16 * 1024
SAID_LINES = 60
NOISE_SECONDS = 1.0  # of two clocks
_BREAKER = "restart-loop breaker tripped"
_VMSTAT = Path("/proc/vmstat")


class Gatherer:
    """Takes the looks of one watchdog."""

    def __init__(self, host: HostPlane, *, config: ConfigLooker, socket: HeldSocket) -> None:
        self._host = host
        self._config = config
        self._socket = socket
        self._judged: tuple[ConfigLook, ConfigLook] | None = (
            None  # what it is of, and with the gateway's word
        )
        self._process: ProcessIdentity | None = None  # of the look before
        self._last_process: ProcessIdentity | None = None
        self._alive_at: float | None = None  # when it was seen alive last
        self._log_end: int | None = None  # of the look before
        self._said_from = 0  # where the log ended before the last process
        self._said: tuple[int, tuple[str, ...]] | None = None
        self._breaker: tuple[ProcessIdentity, bool] | None = None  # whether it said so at its start

    async def look(self, *, repairing: bool, quarantined: int) -> Evidence:
        """Return the evidence of this moment; `repairing`: the lock of the life cycle is our own."""
        host = self._host
        lifecycle_busy, config_busy = await asyncio.to_thread(self._busy)
        lifecycle_busy &= not repairing
        began = seconds_after_boot()
        seen = await look_closely(
            host.gateway, host.state, node=host.node, system=host.system, busy=lifecycle_busy or repairing
        )
        self._alive_at = began if seen.process is not None else self._alive_at
        log_end = await host.gateway.log_position()
        cpu = await host.gateway.cpu_seconds(seen.process) if seen.process is not None else 0.0
        install = await host.openclaw.inspect()
        said = await self._last_words(seen, log_end)
        config = await self._look_at_config(seen)
        free, writable, oom_kills = await asyncio.to_thread(_machine, host.gateway_settings.config_dir)
        return Evidence(
            at=seconds_after_boot(),
            snapshot=seen.snapshot,
            process=seen.process,
            listens=seen.listens,
            frozen=seen.usage is not None and seen.usage.stopped,
            age_seconds=seen.usage.age_seconds if seen.usage is not None else 0.0,
            cpu_seconds=cpu,
            starved_seconds=await asyncio.to_thread(_starved_seconds, seen.process),
            log_end=log_end,
            exit=seen.ended,
            seconds_since_exit=await asyncio.to_thread(self._since_exit) if seen.process is None else None,
            ended_by_us=seen.process is None and await host.gateway.was_ended_by_us(),
            said=said,
            installed=install.installed,
            program_problem=_problem(install),
            lifecycle_busy=lifecycle_busy,
            repairing=repairing,
            container_up=await self._container_up() if seen.process is None else None,
            config_busy=config_busy and not repairing,
            config=config,
            socket=self._socket.look,
            disk_free_bytes=free,
            state_writable=writable,
            oom_kills=oom_kills,
            quarantined=quarantined,
            channels_held_back=await self._holds_channels_back(seen),
        )

    def _busy(self) -> tuple[bool, bool]:
        """Whether jobs hold the locks of the life cycle and of the config."""
        try:
            return (
                not self._host.locks.are_free({NodeLock.LIFECYCLE}),
                not self._host.locks.are_free({NodeLock.CONFIG}),
            )
        except StateUnwritableError as exc:  # then no job can hold them either
            log.warning("locks_unusable", reason=exc.message)
            return False, False

    async def _container_up(self) -> bool | None:
        init = self._host.gateway_settings.init
        return None if init is None else await asyncio.to_thread(listens, init)

    async def _look_at_config(self, seen: Observation) -> ConfigLook:
        look = await asyncio.to_thread(self._config.look)
        if not (seen.snapshot.probe.started and self._socket.look.connected):
            self._judged = None
            return replace(look, applied=False)
        known = self._judged
        if known is not None and known[0] == look and known[1].applied:
            return known[1]
        answer = await self._socket.config_answer()
        if answer is None:
            return replace(look, applied=False)
        judged = judged_by_gateway(look, answer)
        self._judged = (look, judged)
        return judged

    async def _last_words(self, seen: Observation, log_end: int) -> tuple[str, ...]:
        """Return the last lines of a process that has gone, and of none before it; they are read once."""
        if seen.process is not None:
            if seen.process != self._process:
                # of a process that was there before us, what it said before our first look is not known
                self._said_from = log_end if self._log_end is None else self._log_end
            self._process = self._last_process = seen.process
            self._log_end, self._said = log_end, None
            return ()
        self._process, self._log_end = None, log_end
        if self._said is not None and self._said[0] == log_end:
            return self._said[1]
        gateway = self._host.gateway
        lines, _ = await gateway.log_lines(max(self._said_from, log_end - SAID_BYTES, 0))
        if self._last_process is not None:
            more, _ = await gateway.service_lines(self._last_process, None)
            lines += more
        self._said = (log_end, tuple(lines[-SAID_LINES:]))
        return self._said[1]

    async def _holds_channels_back(self, seen: Observation) -> bool:
        """Whether this process has started no channel since it found too many unclean starts before its own.

        Its health routes are green all the same. Read once, when it is up.
        """
        process = seen.process
        if process is None or not seen.snapshot.probe.started or not self._config.config.get("channels"):
            return False
        if self._breaker is None or self._breaker[0] != process:
            lines, _ = await self._host.gateway.log_lines(self._said_from)
            more, _ = await self._host.gateway.service_lines(process, None)
            self._breaker = (process, any(_BREAKER in line for line in (*lines, *more)))
        return self._breaker[1]

    def _since_exit(self) -> float | None:
        """Return how long ago the gateway has ended, by its keeper's record."""
        ended_at = self._host.state.ended_at()
        return None if ended_at is None else since_exit(time.time() - ended_at, alive=self._alive_at)


def since_exit(seconds: float, *, alive: float | None) -> float | None:
    """Return how long ago an end is, None where it cannot be that of the gateway that was seen last.

    `alive`: when that was seen alive, in seconds after boot. An older record is of one before it: the service
    that keeps the gateway now writes none.
    """
    is_older = alive is not None and seconds_after_boot() - seconds < alive - NOISE_SECONDS
    return None if is_older else max(0.0, seconds)


def _problem(install: OpenClawInstall) -> str | None:
    return None if install.installed else install.problem


def _machine(folder: Path) -> tuple[int, bool, int]:
    """Return the free bytes of the disk, whether the folder can be written, and the kernel's OOM kills."""
    place = folder
    while not place.exists():
        place = place.parent
    writable = os.access(place, os.W_OK)
    return shutil.disk_usage(place).free, writable, _oom_kills()


def _oom_kills() -> int:
    """Return how often the kernel has ended a process to win memory (proc_vmstat(5), `oom_kill`)."""
    try:
        lines = _VMSTAT.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _starved_seconds(process: ProcessIdentity | None) -> float:
    """Return how long its first thread has waited for a processor (proc(5), `schedstat`); 0 where unknown."""
    try:
        return (
            0.0
            if process is None
            else int(Path(f"/proc/{process.pid}/schedstat").read_text().split()[1]) / 1e9
        )
    except (OSError, ValueError, IndexError):
        return 0.0
