"""The kinds of job: the name and the payload of each, which api and worker share."""

import re
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints


class Lane(StrEnum):
    """Two consumer processes per node, so that an install never delays a restart."""

    FAST = "fast"  # lifecycle, quick changes, refreshes
    SLOW = "slow"  # installs, updates, CLI fallbacks


class NodeLock(StrEnum):
    """What only one job of a node may do at a time; each is a file lock in the node's state folder."""

    LIFECYCLE = "lifecycle"  # start, stop and replace the gateway's process
    CONFIG = "config"  # write what `openclaw` keeps: its config and its plugins
    READER = "reader"  # hold the connection to the gateway and fill the read model; no job needs it


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
    # held while it runs; a job that has to wait for one stays Queued
    locks: ClassVar[frozenset[NodeLock]] = frozenset()
    # whether it may run once more when its worker died in the middle
    repeatable: ClassVar[bool] = False

    @property
    def target(self) -> str | None:
        """What the job acts on, for lists of tasks and for the audit."""
        return None


class _LifecycleJob(Job):
    module: ClassVar[str] = "gateway"
    locks: ClassVar[frozenset[NodeLock]] = frozenset({NodeLock.LIFECYCLE})
    lane: ClassVar[Lane] = Lane.FAST
    repeatable: ClassVar[bool] = True  # each looks at what is there first

    @property
    def target(self) -> str | None:
        """A node has one gateway."""
        return "gateway"


class StartGatewayJob(_LifecycleJob):
    """Start the gateway; nothing to do when it is ready already."""

    task: ClassVar[str] = "buddy.gateway.start"
    title: ClassVar[str] = "Start gateway"
    action: ClassVar[str] = "start"
    deadline_seconds: ClassVar[float] = (
        720  # an old process's drain, 330 s; 60 s for a service; a start, 300 s
    )


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
    deadline_seconds: ClassVar[float] = 800  # a stop, 390 s, and a start

    force: bool = False


_NAME = r"[A-Za-z0-9](?:\.?[A-Za-z0-9_-])*"
_PACKAGE = re.compile(rf"(?:@{_NAME}/)?{_NAME}(?:@{_NAME})?")


def _package(spec: str) -> str:
    if not _PACKAGE.fullmatch(spec):
        raise ValueError(
            "give a package name such as `@openclaw/voice-call` or `name@1.2.3`; no path, address or option"
        )
    return spec


# a package of npm or ClawHub, with or without a version
PluginSpec = Annotated[str, StringConstraints(max_length=128), AfterValidator(_package)]


class InstallPluginJob(Job):
    """Install a plugin of OpenClaw from its registry."""

    task: ClassVar[str] = "buddy.plugins.install"
    title: ClassVar[str] = "Install plugin"
    module: ClassVar[str] = "plugins"
    action: ClassVar[str] = "install"
    lane: ClassVar[Lane] = Lane.SLOW
    deadline_seconds: ClassVar[float] = 900  # 85 to 210 s on an idle machine, more behind a slow line
    locks: ClassVar[frozenset[NodeLock]] = frozenset({NodeLock.CONFIG})

    spec: PluginSpec
    force: bool = False  # take it although OpenClaw does not know its source

    @property
    def target(self) -> str | None:
        """The package."""
        return self.spec


ALL_JOBS: tuple[type[Job], ...] = (StartGatewayJob, StopGatewayJob, RestartGatewayJob, InstallPluginJob)
_BY_TASK = {job.task: job for job in ALL_JOBS}


def job_kind(task: str) -> type[Job] | None:
    """Return the kind of that name, None when this version knows none."""
    return _BY_TASK.get(task)


def rivals(kind: type[Job]) -> frozenset[str]:
    """Return the names of all kinds that share a lock with `kind`, itself included."""
    return frozenset(job.task for job in ALL_JOBS if job.locks & kind.locks)


def queue_name(node: str, lane: Lane) -> str:
    """Return the broker queue of a node's lane."""
    return f"node.{node}.{lane}"
