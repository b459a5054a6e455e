"""What is known of a gateway at one moment."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


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


class Probe(BaseModel):
    """What the gateway's HTTP health routes said.

    Source: OpenClaw's docs/gateway/health.md; `/startupz` exists since 2026.9 only.
    """

    model_config = ConfigDict(frozen=True)

    live: bool
    ready: bool
    draining: bool = False
    failing: list[str] = []
    event_loop_delay_p99_ms: float | None = None
    latency_ms: float | None = None


class GatewaySnapshot(BaseModel):
    """One look at the gateway from its own host."""

    model_config = ConfigDict(frozen=True)

    node: str
    observed_at: datetime
    state: GatewayState
    desired: Desired | None
    port: int
    pid: int | None = None
    started_at: datetime | None = None
    cpu_percent: float = 0.0
    rss_bytes: int = 0
    disk_percent: float = 0.0
    probe: Probe
    foreign_listener: str | None = Field(
        None, description="Name and pid of a program that is not OpenClaw and holds the port"
    )


class OpenClawInstall(BaseModel):
    """The OpenClaw program of a node."""

    model_config = ConfigDict(frozen=True)

    installed: bool
    version: str | None = None
    path: str | None = None
    installed_at: datetime | None = None
    problem: str | None = Field(None, description="Why it cannot be used, for people")
