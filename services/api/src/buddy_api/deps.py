"""What routers get: the wired objects of this process, the caller, and the node that is meant."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Query, Request
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from buddy_api.auth import Authenticator, Operator
from buddy_api.config import ApiConfig
from buddy_api.login_limit import LoginLimit
from buddy_api.queue import JobQueue, build_producer
from buddy_common.adapters.presence import Presence
from buddy_common.adapters.read_model import ReadModel
from buddy_common.adapters.redis_client import open_redis
from buddy_common.adapters.secret_file import resolve_token
from buddy_common.adapters.task_stream import TaskStream
from buddy_common.db import nodes
from buddy_common.db.engine import Database, open_engine
from buddy_common.errors import AmbiguousNodeError, NoNodeError, UnknownNodeError


@dataclass(frozen=True)
class Wiring:
    """The real objects of an api process."""

    config: ApiConfig
    database: Database
    redis: Redis
    read_model: ReadModel
    stream: TaskStream
    presence: Presence
    authenticator: Authenticator
    login_limit: LoginLimit
    jobs: JobQueue
    metrics: CollectorRegistry

    async def close(self) -> None:
        """Let go of connections and threads."""
        self.jobs.close()
        await self.redis.aclose()
        self.database.engine.dispose()


def build_wiring(config: ApiConfig) -> Wiring:
    """Wire an api process; nothing is connected yet."""
    redis_url = config.broker.require()
    redis = open_redis(redis_url)
    database = Database(open_engine(config.database.resolve(config.home.home)))
    return Wiring(
        config=config,
        database=database,
        redis=redis,
        read_model=ReadModel(redis),
        stream=TaskStream(redis),
        presence=Presence(redis),
        authenticator=Authenticator(resolve_token(config.auth, config.home), database),
        login_limit=LoginLimit(redis_url=redis_url, per_minute=config.auth.login_attempts_per_minute),
        jobs=JobQueue(build_producer(redis_url), database),
        metrics=CollectorRegistry(),
    )


def wiring(request: Request) -> Wiring:
    """Return the objects of this process."""
    found = request.app.state.wiring
    if not isinstance(found, Wiring):
        raise TypeError("the app was built without wiring")
    return found


Wired = Annotated[Wiring, Depends(wiring)]


async def operator(request: Request, w: Wired) -> Operator:
    """Return the authenticated caller."""
    return await w.authenticator.authenticate(request)


Caller = Annotated[Operator, Depends(operator)]


async def node(
    w: Wired,
    _caller: Caller,
    query: Annotated[str | None, Query(alias="node", description="The node that is meant")] = None,
    header: Annotated[str | None, Header(alias="X-Buddy-Node")] = None,
) -> str:
    """Return the node that is meant: the one named, the configured default, or the only one."""
    known = await w.database.run(nodes.names)
    wanted = query or header or w.config.web.default_node
    if wanted is not None:
        if wanted not in known:
            raise UnknownNodeError(wanted, known)
        return wanted
    if not known:
        raise NoNodeError
    if len(known) > 1:
        raise AmbiguousNodeError(known)
    return known[0]


Node = Annotated[str, Depends(node)]
