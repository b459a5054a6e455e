"""A host plane without broker and database, and a job on it that remembers what it was told."""

from typing import Any, cast

from buddy_common.adapters.host_plane import HostPlane, build_host_plane
from buddy_common.adapters.redis_client import open_redis
from buddy_common.schemas.processes import ProcessIdentity
from buddy_common.settings import GatewaySettings, HomeSettings, OpenClawSettings, WatchdogSettings
from buddy_worker.jobs import RunningJob
from fakes.progress import RecordingProgress


def build_host() -> HostPlane:
    """Build it from the environment; its broker is asked for nothing."""
    return build_host_plane(
        open_redis("redis://127.0.0.1:1/0"),
        home=HomeSettings(),
        gateway=GatewaySettings(),
        openclaw=OpenClawSettings(),
        watchdog=WatchdogSettings(),
    )


class RecordingJob(RecordingProgress):
    """What use cases see of a running job."""

    lock_descriptors = ()

    def __init__(self, host: HostPlane, task_id: str) -> None:
        super().__init__()
        self.host = host
        self.task_id = task_id
        self.stopping = False
        self.left: str | None = None
        self.made: list[str] = []
        self.processes: list[ProcessIdentity] = []

    def is_cut_off(self) -> None:
        """What it did then is nowhere shown here."""

    async def runs(self, process: ProcessIdentity) -> None:
        self.processes.append(process)

    def as_job(self) -> RunningJob[Any]:
        """The same for use cases, which ask for the class."""
        return cast("RunningJob[Any]", self)
