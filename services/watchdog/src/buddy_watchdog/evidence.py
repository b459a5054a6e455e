"""What one look at the gateway found. Times are seconds after boot, whatever is done to the clock."""

import time
from dataclasses import dataclass, field
from typing import Any

from buddy_common.schemas.gateway import GatewaySnapshot
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity

_SHOWN_LINES = 12


def seconds_after_boot() -> float:
    """Return the present; it goes on while the machine sleeps, and whatever is done to the clock."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


@dataclass(frozen=True)
class ConfigLook:
    """`openclaw.json` with its includes: its hash, and what is wrong with it."""

    hash: str | None = None
    problem: str | None = None  # why OpenClaw would not start on it, as far as a look can tell
    applied: bool = True  # whether the gateway that runs says that it runs on it
    reloads: bool = True  # False: one that says nothing of that runs on what it began with


@dataclass(frozen=True)
class SocketLook:
    """The held connection to the gateway."""

    connected: bool = False
    round_trip_ms: float | None = None
    answered_at: float | None = None  # the last ping that was answered
    said_restart: bool = False  # the last thing that it said was that it restarts itself


@dataclass(frozen=True)
class Evidence:
    """Everything that a verdict is made from."""

    at: float
    snapshot: GatewaySnapshot
    process: ProcessIdentity | None = None
    listens: bool = False
    frozen: bool = False  # stopped by a signal
    age_seconds: float = 0.0
    cpu_seconds: float = 0.0
    starved_seconds: float = 0.0  # that it wanted to run, and others ran; 0 where nobody counts that
    log_end: int = 0
    exit: ProcessExit | None = None
    seconds_since_exit: float | None = None
    ended_by_us: bool = False  # its service is down since a job or a repair has stopped it
    said: tuple[str, ...] = ()  # the last lines of one that has gone
    installed: bool = True
    program_problem: str | None = None
    lifecycle_busy: bool = False  # an operator's job starts, stops or replaces the gateway
    repairing: bool = False  # we ourselves do
    # where there is no process: whether the container that starts it takes requests; None: it has none
    container_up: bool | None = None
    config_busy: bool = False  # an operator's job changes the config or the plugins
    config: ConfigLook = field(default_factory=ConfigLook)
    socket: SocketLook = field(default_factory=SocketLook)
    disk_free_bytes: int = 1 << 40
    state_writable: bool = True
    oom_kills: int = 0  # of the kernel, since the machine was started
    quarantined: int = 0
    channels_held_back: bool = False  # OpenClaw's own restart-loop breaker has started none
    # of the looks before
    config_proven: bool = False  # a start on this config was ready
    failed_starts: int = 0  # on this config in a row that ended by themselves
    rss_mb_per_hour: float | None = None  # how its resident memory grows

    def shown(self) -> dict[str, Any]:
        """Return what an event keeps of it; nothing in it is secret but what the gateway itself said."""
        probe = self.snapshot.probe
        return {
            "state": self.snapshot.state,
            "desired": self.snapshot.desired,
            "pid": self.snapshot.pid,
            "age_seconds": round(self.age_seconds, 1),
            "exit": None if self.exit is None else str(self.exit),
            "frozen": self.frozen,
            "container_up": self.container_up,
            "listens": self.listens,
            "foreign_listener": self.snapshot.foreign_listener,
            "healthz": probe.healthz,
            "startup": probe.phase or ("started" if probe.started else None),
            "live": probe.live,
            "ready": probe.ready,
            "failing": probe.failing,
            "response_time_ms": probe.latency_ms,
            "event_loop_ms": probe.event_loop_delay_p99_ms,
            "rpc_ms": self.socket.round_trip_ms,
            "rss_mb": round(self.snapshot.rss_bytes / (1024 * 1024), 1),
            "rss_mb_per_hour": self.rss_mb_per_hour,
            "disk_free_mb": self.disk_free_bytes // (1024 * 1024),
            "state_writable": self.state_writable,
            "channels_held_back": self.channels_held_back,
            "config_hash": self.config.hash,
            "config_problem": self.config.problem,
            "config_proven": self.config_proven,
            "failed_starts": self.failed_starts,
            "said": list(self.said[-_SHOWN_LINES:]),
        }
