"""The jobs of the gateway's life cycle."""

from typing import ClassVar

from buddy_common.schemas.job import Job, Lane, NodeLock


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
