"""An audit event as clients see it."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class EventStatus(StrEnum):
    """How the change ended."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILED = "failed"
    DENIED = "denied"


class EventView(BaseModel):
    """One change that somebody made through Buddy, or one refused login."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {
                "id": 17,
                "time": "2026-03-28T10:00:00.120Z",
                "user": "admin",
                "action": "restart_gateway",
                "status": "success",
                "target": "gateway",
                "taskID": "task-1774656000-9f3c1a7e",
                "address": "203.0.113.7",
                "node": "local",
                "detail": None,
            }
        },
    )

    id: int
    time: datetime
    user: str
    action: str
    status: EventStatus
    target: str | None
    taskID: str | None  # noqa: N815 - the guide's style
    address: str | None
    node: str | None
    detail: str | None
