"""The real objects of a worker process, built once before the first job."""

from dataclasses import dataclass

from redis.asyncio import Redis

from buddy_common.adapters.alerts import Alerts
from buddy_common.adapters.host_plane import HostPlane, build_host_plane
from buddy_common.adapters.job_sender import JobSender
from buddy_common.adapters.presence import Presence
from buddy_common.adapters.redis_client import open_redis
from buddy_common.adapters.sealed_payloads import SealedPayloads
from buddy_common.adapters.task_stream import TaskStream
from buddy_common.db.engine import Database, open_engine
from buddy_common.schemas.job import Lane
from buddy_common.settings import (
    AlertSettings,
    BrokerSettings,
    DatabaseSettings,
    GatewaySettings,
    HomeSettings,
    OpenClawSettings,
    WatchdogSettings,
    WorkerSettings,
)
from buddy_worker.owner import Owner


@dataclass(frozen=True)
class WorkerConfig:
    """The settings of a worker process."""

    lane: Lane
    home: HomeSettings
    broker: BrokerSettings
    database: DatabaseSettings
    worker: WorkerSettings
    gateway: GatewaySettings
    openclaw: OpenClawSettings
    watchdog: WatchdogSettings
    alerts: AlertSettings

    @classmethod
    def from_environment(cls, lane: Lane) -> "WorkerConfig":
        """Read all settings from the environment."""
        return cls(
            lane=lane,
            home=HomeSettings(),
            broker=BrokerSettings(),
            database=DatabaseSettings(),
            worker=WorkerSettings(),
            gateway=GatewaySettings(),
            openclaw=OpenClawSettings(),
            watchdog=WatchdogSettings(),
            alerts=AlertSettings(),
        )


@dataclass(frozen=True)
class Wiring:
    """What jobs use."""

    config: WorkerConfig
    owner: Owner
    database: Database
    redis: Redis
    stream: TaskStream
    presence: Presence
    sender: JobSender
    sealed: SealedPayloads
    host: HostPlane
    alerts: Alerts

    @property
    def node(self) -> str:
        """The node whose jobs this process runs."""
        return self.config.home.node


def build_wiring(config: WorkerConfig) -> Wiring:
    """Wire a worker process; nothing is connected yet."""
    redis_url = config.broker.require()
    redis = open_redis(redis_url)
    return Wiring(
        config=config,
        owner=Owner.current(),
        database=Database(open_engine(config.database.resolve(config.home.home))),
        redis=redis,
        stream=TaskStream(redis),
        presence=Presence(redis),
        sender=JobSender(redis_url),
        sealed=SealedPayloads(redis),
        host=build_host_plane(
            redis,
            home=config.home,
            gateway=config.gateway,
            openclaw=config.openclaw,
            watchdog=config.watchdog,
        ),
        alerts=Alerts(config.alerts),
    )


_current: Wiring | None = None


def set_wiring(wiring: Wiring) -> None:
    """Set what the tasks of this process use; called once, before the first job."""
    global _current  # noqa: PLW0603 - Celery calls plain functions; this is how they find their objects
    _current = wiring


def wiring() -> Wiring:
    """Return the objects of this process."""
    if _current is None:
        raise RuntimeError("the worker is not wired yet")
    return _current
