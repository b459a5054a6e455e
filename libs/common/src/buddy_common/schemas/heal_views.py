"""What clients see of a gateway's health and of what was done about it."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from buddy_common.schemas.healing import HealEvent, IncidentState
from buddy_common.schemas.verdicts import Verdict

# no dot before the suffix, and no separator: a name is never a path
REPORT_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,100}\.md"
_EVENT: dict[str, Any] = {
    "id": "6c1c9d1e0f0e4f6e8d6a4b0f4f3c2a11",
    "incident": "20260328-100000-9f3c1a7e",
    "node": "local",
    "at": "2026-03-28T10:00:12Z",
    "kind": "repair",
    "verdict": "crashed",
    "reason": "The gateway ended with signal SIGKILL.",
    "repair": "restart",
    "outcome": "done: the gateway is up",
    "attempt": 1,
    "evidence_before": {"state": "Crashed", "pid": None},
    "evidence_after": {"state": "Running", "pid": 4711},
    "seconds_to_detect": None,
    "seconds_to_recover": None,
    "report": "20260328-100000-9f3c1a7e.md",
    "seq": 12,
}
_INCIDENT: dict[str, Any] = {
    "id": "20260328-100000-9f3c1a7e",
    "node": "local",
    "began": "2026-03-28T10:00:00Z",
    "ended": "2026-03-28T10:01:20Z",
    "verdict": "crashed",
    "reason": "The gateway ended with signal SIGKILL.",
    "attempts": 1,
    "state": "recovered",
    "seconds_to_detect": 0.4,
    "seconds_to_recover": 11.2,
    "report": "20260328-100000-9f3c1a7e.md",
}
_POINT: dict[str, Any] = {
    "timestamp": "2026-03-28T10:00:00Z",
    "status": "ok",
    "response_time_ms": 4.5,
    "cpu_usage": 1.2,
    "memory_usage": 812.5,
    "event_loop_ms": 21.3,
}


class HealEventView(HealEvent):
    """One line of an incident's history, and its place in the list."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"example": _EVENT})

    seq: int = Field(description="Page on with `before`")


class IncidentView(BaseModel):
    """An incident from beginning to end."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"example": _INCIDENT})

    id: str
    node: str
    began: datetime
    ended: datetime | None
    verdict: Verdict
    reason: str
    attempts: int
    state: IncidentState
    seconds_to_detect: float | None
    seconds_to_recover: float | None
    report: str | None


class HealthPoint(BaseModel):
    """The checks of a stretch of time: the worst status, and means of what was measured."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"example": _POINT})

    timestamp: datetime
    status: str = Field(description="`ok`, or the watchdog's verdict")
    response_time_ms: float | None = Field(description="null: the gateway was silent all the time")
    cpu_usage: float = Field(description="Percent of one core")
    memory_usage: float = Field(description="MB")
    event_loop_ms: float | None = Field(description="p99 of the event loop's delay")


class ReportQuestion(BaseModel):
    """What the api wants to know of a node's reports: the list, or the text of one."""

    model_config = ConfigDict(frozen=True)

    name: str | None = None  # None: the list
    before: str | None = None  # page on from this name
    limit: int = 100
