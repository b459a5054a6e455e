"""The kinds of job: the name and the payload of each, which api and worker share."""

from enum import StrEnum
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Lane(StrEnum):
    """Two consumer processes per node, so that an install never delays a restart."""

    FAST = "fast"  # lifecycle, quick changes, refreshes
    SLOW = "slow"  # installs, updates, CLI fallbacks


class JobMessage(BaseModel):
    """What travels in the Celery message; everything else is in the task's row."""

    model_config = ConfigDict(frozen=True)

    task_id: str


class Job(BaseModel):
    """The payload of one kind of job, and what is known of that kind."""

    model_config = ConfigDict(frozen=True)

    task: ClassVar[str]  # Celery's name for it
    title: ClassVar[str]
    module: ClassVar[str]
    action: ClassVar[str]
    lane: ClassVar[Lane]
    deadline_seconds: ClassVar[float]  # from the moment when it need not wait for others any more
    # waits until no other job of this kind runs on the node
    exclusive: ClassVar[bool] = False

    @property
    def target(self) -> str | None:
        """What the job acts on, for lists of tasks and for the audit."""
        return None


class _LifecycleJob(Job):
    module: ClassVar[str] = "gateway"
    exclusive: ClassVar[bool] = True
    lane: ClassVar[Lane] = Lane.FAST

    @property
    def target(self) -> str | None:
        """A node has one gateway."""
        return "gateway"


class StartGatewayJob(_LifecycleJob):
    """Start the gateway; nothing to do when it is ready already."""

    task: ClassVar[str] = "buddy.gateway.start"
    title: ClassVar[str] = "Start gateway"
    action: ClassVar[str] = "start"
    deadline_seconds: ClassVar[float] = 330  # a start may take 300 s (GatewaySettings)


class StopGatewayJob(_LifecycleJob):
    """Stop the gateway and remember that this was wanted."""

    task: ClassVar[str] = "buddy.gateway.stop"
    title: ClassVar[str] = "Stop gateway"
    action: ClassVar[str] = "stop"
    deadline_seconds: ClassVar[float] = 390  # a drain may take 330 s (GatewaySettings), a kill 20 s

    force: bool = False


class RestartGatewayJob(_LifecycleJob):
    """Stop the gateway if it runs, then start it."""

    task: ClassVar[str] = "buddy.gateway.restart"
    title: ClassVar[str] = "Restart gateway"
    action: ClassVar[str] = "restart"
    deadline_seconds: ClassVar[float] = 720  # a stop and a start

    force: bool = False


ALL_JOBS: tuple[type[Job], ...] = (StartGatewayJob, StopGatewayJob, RestartGatewayJob)


def queue_name(node: str, lane: Lane) -> str:
    """Return the broker queue of a node's lane."""
    return f"node.{node}.{lane}"
