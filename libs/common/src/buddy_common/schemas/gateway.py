"""What is known of a gateway at one moment."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from buddy_common.schemas.processes import ProcessExit
from buddy_common.schemas.verdicts import Verdict


class GatewayState(StrEnum):
    """The gateway in one word."""

    RUNNING = "Running"
    STARTING = "Starting"
    STOPPED = "Stopped"
    DEGRADED = "Degraded"
    HUNG = "Hung"
    CRASHED = "Crashed"
    CONFIG_ERROR = "ConfigError"


class Desired(StrEnum):
    """What the operator last asked for."""

    RUNNING = "running"
    STOPPED = "stopped"


class GatewayOwner(StrEnum):
    """Who keeps the gateway's process, and so decides how it is started and stopped."""

    OURS = "ours"
    PLAIN = "plain"
    SYSTEMD = "systemd"
    LAUNCHD = "launchd"
    CONTAINER = "container"


@dataclass(frozen=True)
class ServiceUnit:
    """A systemd unit or a launchd job: its name, and the manager that has it."""

    manager: GatewayOwner
    name: str
    user: bool
    account: str | None = None  # whose user manager has it; None: our own

    def __str__(self) -> str:
        owner = f" of {self.account}" if self.account is not None else ""
        return f"{self.manager} {'user' if self.user else 'system'} service {self.name}{owner}"


@dataclass(frozen=True)
class ServiceStatus:
    """What a service manager says of a unit at one moment."""

    active: bool  # it runs, or will by itself: starting, draining and waiting for a restart count
    main_pid: int | None = None
    last_pid: int | None = None  # the process that `last_exit` is about
    last_exit: ProcessExit | None = None


@dataclass(frozen=True)
class Ownership:
    """Who keeps a gateway's process, and its unit where a service manager does."""

    owner: GatewayOwner
    unit: ServiceUnit | None = None


class Probe(BaseModel):
    """What the gateway's HTTP health routes said.

    Source: OpenClaw's docs/gateway/health.md.
    """

    model_config = ConfigDict(frozen=True)

    live: bool
    started: bool = False  # up and serving; a channel that is down may still keep it from being ready
    ready: bool
    draining: bool = False
    failing: list[str] = []
    event_loop_delay_p99_ms: float | None = None
    latency_ms: float | None = None
    healthz: int | None = None  # the status that `/healthz` has answered with; None: it is silent
    phase: str | None = None  # what `/startupz` says, where it was asked and exists


class GatewaySnapshot(BaseModel):
    """One look at the gateway from its own host."""

    model_config = ConfigDict(frozen=True)

    node: str
    observed_at: datetime
    state: GatewayState
    desired: Desired | None
    port: int
    pid: int | None = None
    owner: GatewayOwner | None = None
    started_at: datetime | None = None
    cpu_percent: float = 0.0
    rss_bytes: int = 0
    disk_percent: float = 0.0
    probe: Probe
    foreign_listener: str | None = Field(
        None, description="Name and pid of a program that is not OpenClaw and holds the port"
    )
    verdict: Verdict | None = Field(None, description="The watchdog's; None: nobody but a job has looked")
    reason: str | None = Field(None, description="Why the verdict is that, for people")


class OpenClawInstall(BaseModel):
    """The OpenClaw program of a node."""

    model_config = ConfigDict(frozen=True)

    installed: bool
    version: str | None = None
    path: str | None = None
    installed_at: datetime | None = None
    problem: str | None = Field(None, description="Why it cannot be used, for people")
