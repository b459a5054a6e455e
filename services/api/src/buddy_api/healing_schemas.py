"""What the watchdog does, as clients see it."""

from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from buddy_common.schemas.healing import ActiveIncident, QuarantineEntry

_REPORT: dict[str, Any] = {
    "name": "20260328-100000-9f3c1a7e.md",
    "size": 8123,
    "updatedAt": "2026-03-28T10:01:20Z",
}
_ENTRY: dict[str, Any] = {
    "id": "q-9f3c1a7e0b1d",
    "at": "2026-03-28T10:00:20Z",
    "incident": "20260328-100000-9f3c1a7e",
    "path": ["plugins", "entries", "weather"],
    "reason": 'Unrecognized key: "foo"',
}
_MODES = Literal["on", "off", "paused"]


class ReportRow(BaseModel):
    """One report of an incident, a Markdown file on the node."""

    model_config = ConfigDict(json_schema_extra={"example": _REPORT})

    name: str
    size: int
    updatedAt: datetime  # noqa: N815 - the guide's style


class Reports(BaseModel):
    """A page of reports, the one that was written last first."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"reports": [_REPORT], "total": 1, "more": False}}
    )

    reports: list[ReportRow]
    total: int
    more: bool = Field(description="Whether there are older ones: page on with `before`")


class ReportContent(ReportRow):
    """A report with its text."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {**_REPORT, "content": "# 故障报告 Incident 20260328-100000-9f3c1a7e\n"}
        }
    )

    content: str = Field(description="Markdown, in Chinese and English, without secrets")


class QuarantineList(BaseModel):
    """What the watchdog has taken out of openclaw.json; what stood there stays on the node."""

    model_config = ConfigDict(json_schema_extra={"example": {"quarantine": [_ENTRY], "stale": False}})

    quarantine: list[QuarantineEntry]
    stale: bool = Field(description="The watchdog has not said anything for too long")


class SelfHealingStatus(BaseModel):
    """What the watchdog may do, and what it is about."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "mode": "paused",
                "paused_until": "2026-03-28T12:00:00Z",
                "circuit_open_since": None,
                "incident": {
                    "id": "20260328-100000-9f3c1a7e",
                    "began": "2026-03-28T10:00:00Z",
                    "verdict": "crashed",
                    "attempts": 1,
                },
                "quarantined": 0,
                "stale": False,
            }
        }
    )

    mode: _MODES
    paused_until: datetime | None
    circuit_open_since: datetime | None = Field(description="Since when it repairs nothing: it has given up")
    incident: ActiveIncident | None
    quarantined: int
    stale: bool = Field(description="The watchdog has not said anything for too long")


class SetSelfHealing(BaseModel):
    """What the watchdog may do from now on; it watches and tells in any case."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"mode": "paused", "paused_until": "2026-03-28T12:00:00Z"}}
    )

    mode: _MODES
    paused_until: AwareDatetime | None = Field(None, description="With `paused`: until when, with its zone")
