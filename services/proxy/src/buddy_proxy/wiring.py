"""The real objects of a proxy process."""

import secrets
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis

from buddy_common.adapters.access import Authenticator
from buddy_common.adapters.attempts import Attempts
from buddy_common.adapters.gateway_host import HostGateway
from buddy_common.adapters.host_plane import build_gateway
from buddy_common.adapters.host_state import FileHostState
from buddy_common.adapters.job_queue import JobQueue
from buddy_common.adapters.job_sender import JobSender
from buddy_common.adapters.openclaw_program import HostOpenClaw
from buddy_common.adapters.redis_client import open_redis
from buddy_common.adapters.secret_file import known_token
from buddy_common.db.engine import Database, open_engine
from buddy_common.stopping import Stopping
from buddy_proxy.clients import Clients
from buddy_proxy.config import ProxyConfig
from buddy_proxy.rooms import Rooms, RoomSettings, build_rooms
from buddy_proxy.running import Running
from buddy_proxy.target import Target
from buddy_proxy.upstream import Upstream

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Wiring:
    """Everything that requests and sockets share."""

    config: ProxyConfig
    database: Database
    attempts: Attempts
    authenticator: Authenticator
    clients: Clients
    gateway: HostGateway
    target: Target
    upstream: Upstream
    running: Running
    stopping: Stopping
    redis: Redis
    jobs: JobQueue
    rooms: Rooms

    async def close(self) -> None:
        """Let go of connections and threads."""
        await self.rooms.close()
        self.jobs.close()
        await self.redis.aclose()
        await self.attempts.close()
        await self.upstream.close()
        await self.gateway.close()
        self.database.engine.dispose()


def build_wiring(config: ProxyConfig) -> Wiring:
    """Wire a proxy process; nothing is connected yet."""
    database = Database(open_engine(config.database.resolve(config.home.home)))
    state = FileHostState(config.home.node_state)
    program = HostOpenClaw(config.openclaw, config.home.runtime)
    gateway = build_gateway(config.gateway, program, state=state, home=config.home)
    stopping = Stopping()
    redis_url = config.broker.require()
    token, per_minute = _token(config), config.auth.login_attempts_per_minute
    attempts = Attempts(redis_url=redis_url, per_minute=per_minute, key=token.encode())
    authenticator = Authenticator(token, database, attempts)
    redis = open_redis(redis_url)
    jobs = JobQueue(JobSender(redis_url), database, redis, key=authenticator.key)
    return Wiring(
        config=config,
        database=database,
        attempts=attempts,
        authenticator=authenticator,
        clients=Clients(limit=config.proxy.connections_per_client),
        gateway=gateway,
        target=Target(
            gateway,
            state,
            config_file=config.gateway.config_file,
            device_file=config.home.node_state / "panel-device.key",
        ),
        upstream=Upstream(max_frame_bytes=config.proxy.max_frame_bytes),
        running=Running(),
        stopping=stopping,
        redis=redis,
        jobs=jobs,
        rooms=build_rooms(
            RoomSettings(config.home, config.gateway, config.sockets),
            openclaw=program,
            database=database,
            redis=redis,
            jobs=jobs,
        ),
    )


def _token(config: ProxyConfig) -> str:
    """Return the token of the control plane; a proxy never makes one that only it would take."""
    token = known_token(config.auth, config.home)
    if token is None:
        log.warning("no_token", advice="Set BUDDY_TOKEN to that of the API: until then nobody is let in.")
    return token or secrets.token_urlsafe(32)
