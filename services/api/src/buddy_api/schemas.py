"""Answers that only the api knows: the guide's flat shapes."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from buddy_common.schemas.gateway import Desired, GatewayState


class OpenClawStatus(BaseModel):
    """The guide's status, and what a closer look adds."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "version": "2026.9.6",
                "status": "Running",
                "uptime": "2d 4h 12m",
                "cpuPercent": 1.2,
                "memoryMB": 812.5,
                "diskUsagePercent": 45.2,
                "installedAt": "2026-03-20 10:00:00",
                "health": "Healthy",
                "pid": 4711,
                "port": 18789,
                "node": "local",
                "verdict": "ready",
                "reason": "It is ready.",
                "ready": True,
                "failing": [],
                "eventLoopDelayP99Ms": 21.3,
                "desired": "running",
                "rssMB": 812.5,
                "heartbeat": "2026-03-28 10:00:00",
                "updated_at": "2026-03-28 10:00:00",
                "age_ms": 812,
                "stale": False,
            }
        }
    )

    version: str | None
    status: GatewayState
    uptime: str | None
    cpuPercent: float  # noqa: N815 - the guide's name
    memoryMB: float  # noqa: N815 - the guide's name
    diskUsagePercent: float  # noqa: N815 - the guide's name
    installedAt: str | None  # noqa: N815 - the guide's name
    health: str
    pid: int | None
    port: int
    node: str
    verdict: str
    reason: str | None
    ready: bool
    failing: list[str]
    eventLoopDelayP99Ms: float | None  # noqa: N815 - the guide's style
    desired: Desired | None
    rssMB: float  # noqa: N815 - the guide's style
    heartbeat: str
    updated_at: str
    age_ms: int
    stale: bool


class OpenClawVersion(BaseModel):
    """Which OpenClaw a node has."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "installed": True,
                "version": "2026.9.6",
                "path": "/home/buddy/.openclaw-buddy/runtime/bin/openclaw",
                "problem": None,
            }
        }
    )

    installed: bool
    version: str | None
    path: str | None
    problem: str | None


class OutputLine(BaseModel):
    """One line of a task's output; the first has the number 0."""

    model_config = ConfigDict(json_schema_extra={"example": {"seq": 0, "line": "[gateway] starting..."}})

    seq: int
    line: str


def guide_time(moment: datetime) -> str:
    """Return a time as the guide shows it: local, to the second."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def guide_duration(seconds: float) -> str:
    """Return a duration as the guide shows it, as in `2d 4h 12m`."""
    minutes = max(0, int(seconds)) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days}d {hours}h {minutes}m"
    return f"{hours}h {minutes}m" if hours else f"{minutes}m"
