"""A task as clients see it."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class TaskStatus(StrEnum):
    """The life of a task; all but the first two are final."""

    QUEUED = "Queued"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    TIMEOUT = "Timeout"
    CANCELLED = "Cancelled"
    INTERRUPTED = "Interrupted"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to the task."""
        return self not in (TaskStatus.QUEUED, TaskStatus.RUNNING)


class TaskView(BaseModel):
    """One task: what was asked, how far it is, what came out."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {
                "id": "task-1774656000-9f3c1a7e",
                "taskID": "task-1774656000-9f3c1a7e",
                "name": "Restart gateway",
                "module": "gateway",
                "action": "restart",
                "target": "gateway",
                "node": "local",
                "actor": "admin",
                "status": "Running",
                "stage": "starting",
                "progress": 60,
                "command": "openclaw gateway run",
                "result": None,
                "error": None,
                "errorCode": None,
                "output": ["Stopping the gateway (pid 4711)", "[gateway] starting..."],
                "queuedAt": "2026-03-28T10:00:00.120Z",
                "startTime": "2026-03-28T10:00:00.131Z",
                "endTime": None,
                "attempts": 1,
                "retryOf": None,
            }
        },
    )

    id: str
    taskID: str = Field(description="The same id, under the guide's name")  # noqa: N815 - the guide's name
    name: str
    module: str
    action: str
    target: str | None
    node: str
    actor: str
    status: TaskStatus
    stage: str | None = Field(description="What it is doing now, for people")
    progress: int = Field(ge=0, le=100, description="Percent")
    command: str | None = Field(description="The program that it runs, if any")
    result: dict[str, Any] | None
    error: str | None = Field(description="Why it did not complete, for people")
    errorCode: str | None = Field(description="The same for machines")  # noqa: N815 - API style
    output: list[str] = Field(description="The last lines that it wrote")
    queuedAt: datetime  # noqa: N815 - the guide's style
    startTime: datetime | None  # noqa: N815 - the guide's style
    endTime: datetime | None  # noqa: N815 - the guide's style
    attempts: int = Field(description="How often a worker took it; 2: its first worker died")
    retryOf: str | None = Field(description="The task that this one repeats")  # noqa: N815 - API style


class TaskAccepted(BaseModel):
    """The answer to a change that runs in the background; poll `/v1/tasks/status`."""

    model_config = ConfigDict(json_schema_extra={"example": {"taskID": "task-1774656000-9f3c1a7e"}})

    taskID: str  # noqa: N815 - the guide's name
