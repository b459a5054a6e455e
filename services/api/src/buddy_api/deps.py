"""What routers get: the wired objects of this process, the caller, and the node that is meant."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from buddy_api.config import ApiConfig
from buddy_api.experts import Experts
from buddy_api.known_nodes import KnownNodes
from buddy_api.mirrored import Lists
from buddy_api.readiness import Readiness
from buddy_api.task_changes import TaskChanges
from buddy_api.wechat_listeners import WechatListeners
from buddy_common.adapters.access import Authenticator, Operator
from buddy_common.adapters.attempts import Attempts
from buddy_common.adapters.job_queue import JobQueue
from buddy_common.adapters.job_sender import JobSender
from buddy_common.adapters.presence import Presence
from buddy_common.adapters.read_model import ReadModel
from buddy_common.adapters.redis_client import open_redis
from buddy_common.adapters.refresh_requests import RefreshRequests
from buddy_common.adapters.secret_file import resolve_token
from buddy_common.adapters.task_stream import TaskStream
from buddy_common.adapters.wechat_logins import WechatLogins
from buddy_common.db.engine import Database, open_engine
from buddy_common.errors import (
    AmbiguousNodeError,
    BrokerUnavailableError,
    CrossOriginError,
    DatabaseUnavailableError,
    IdempotencyConflictError,
    InvalidRequestError,
    NoNodeError,
    NotAuthenticatedError,
    NotReportedError,
    QueueFullError,
    UnknownNodeError,
)
from buddy_common.schemas.job import Job
from buddy_common.schemas.tasks import TaskAccepted
from buddy_common.settings import WebSettings
from buddy_common.stopping import Stopping


@dataclass(frozen=True)
class Wiring:
    """The real objects of an api process."""

    config: ApiConfig
    database: Database
    redis: Redis
    read_model: ReadModel
    requests: RefreshRequests
    lists: Lists
    known_nodes: KnownNodes
    experts: Experts
    stream: TaskStream
    changes: TaskChanges
    presence: Presence
    readiness: Readiness
    authenticator: Authenticator
    attempts: Attempts
    jobs: JobQueue
    metrics: CollectorRegistry
    stopping: Stopping
    wechat_logins: WechatLogins
    wechat_listeners: WechatListeners

    async def close(self) -> None:
        """Let go of connections and threads."""
        await self.readiness.close()
        self.jobs.close()
        await self.redis.aclose()
        await self.attempts.close()
        self.database.engine.dispose()


def build_wiring(config: ApiConfig) -> Wiring:
    """Wire an api process; nothing is connected yet."""
    redis_url = config.broker.require()
    redis = open_redis(redis_url)
    database = Database(open_engine(config.database.resolve(config.home.home)))
    stream = TaskStream(redis)
    stopping, presence = Stopping(), Presence(redis)
    read_model, requests = ReadModel(redis), RefreshRequests(redis)
    token = resolve_token(config.auth, config.home)
    per_minute = config.auth.login_attempts_per_minute
    attempts = Attempts(redis_url=redis_url, per_minute=per_minute, key=token.encode())
    authenticator = Authenticator(token, database, attempts)
    return Wiring(
        config=config,
        database=database,
        redis=redis,
        read_model=read_model,
        requests=requests,
        lists=Lists(read_model, requests, wait_seconds=config.web.wait_seconds),
        known_nodes=KnownNodes(database),
        experts=Experts.load(config.web.experts_dir),
        stream=stream,
        changes=TaskChanges(stream, stopping),
        presence=presence,
        readiness=Readiness(database, presence),
        authenticator=authenticator,
        attempts=attempts,
        jobs=JobQueue(JobSender(redis_url), database, redis, key=authenticator.key),
        metrics=CollectorRegistry(),
        stopping=stopping,
        wechat_logins=WechatLogins(redis),
        wechat_listeners=WechatListeners(),
    )


def wiring_of(request: Request) -> Wiring:
    """Return the objects of this process."""
    found = request.app.state.wiring
    if not isinstance(found, Wiring):
        raise TypeError("the app was built without wiring")
    return found


# The dependencies are all async, since FastAPI runs any other in a thread, and flat, since it walks their
# whole tree for each request: both cost more than what most routes do.
async def wiring(request: Request) -> Wiring:
    """Return the objects of this process."""
    return wiring_of(request)


Wired = Annotated[Wiring, Depends(wiring)]


class SignedIn(SecurityBase):
    """A dependency that authenticates, and that the OpenAPI document shows as the bearer scheme."""

    def __init__(self) -> None:
        self.model = HTTPBearer(description="The token that `buddy token` shows")
        self.scheme_name = "HTTPBearer"

    async def __call__(self, request: Request) -> Operator:
        """Return the authenticated caller; of one request it is found out once."""
        known = request.scope.setdefault("state", {}).get("operator")
        if not isinstance(known, Operator):
            known = await wiring_of(request).authenticator.authenticate(request)
            request.scope["state"]["operator"] = known
        return known


operator = SignedIn()
Caller = Annotated[Operator, Depends(operator)]
NodeQuery = Annotated[str | None, Query(alias="node", description="The node that is meant")]
NodeHeader = Annotated[str | None, Header(alias="X-Buddy-Node")]


async def node(request: Request, _caller: Caller, query: NodeQuery = None, header: NodeHeader = None) -> str:
    """Return the node that is meant."""
    return await resolve_node(wiring_of(request), query or header)


async def resolve_node(w: Wiring, named: str | None) -> str:
    """Return the node that was named, the configured default, or the only one.

    Raises:
        UnknownNodeError: there is no node of that name.
        AmbiguousNodeError: none was named and there are several.
        NoNodeError: none has registered yet.
    """
    known = await w.known_nodes.names(wanted=named)
    wanted = named or default_node(w.config.web, known)
    if wanted is None:
        raise AmbiguousNodeError(known) if known else NoNodeError
    if wanted not in known:
        raise UnknownNodeError(wanted, known)
    return wanted


def default_node(web: WebSettings, known: list[str]) -> str | None:
    """Return the node that is meant when none is named: the configured one, or the only one."""
    return web.default_node or (known[0] if len(known) == 1 else None)


# what a route that takes a node can answer because of it
NODE_ERRORS = (
    InvalidRequestError,
    NotAuthenticatedError,
    UnknownNodeError,
    NoNodeError,
    DatabaseUnavailableError,
)
Node = Annotated[str, Depends(node)]

# what a list that mirrors OpenClaw can answer because of it
LIST_ERRORS = (*NODE_ERRORS, BrokerUnavailableError, NotReportedError)
IfNoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", description="An `ETag` of before: 304 if it holds")
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=1000,
        description="The `ETag` of what the client has seen, or `*`: 412 if that is not there",
    ),
]
# OpenClaw would silently change others
BOT_ID = r"^[a-z0-9][a-z0-9_-]{0,63}$"

# printable ASCII, for what is compared with words of our own; PostgreSQL refuses NUL in a text, by a 500
WORD = r"^[!-~]+$"

# wider than the ids that we make
TASK_ID = r"^[A-Za-z0-9_-]{1,64}$"
TaskId = Annotated[str, Path(pattern=TASK_ID, description="The `taskID` that a change was answered with")]

# printable ASCII, as in the IETF's draft "The Idempotency-Key HTTP Header Field"
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,255}$",
        description="A repeat with the same key returns the first task instead of making another",
    ),
]


@dataclass(frozen=True)
class Submitter:
    """Submits the jobs of one request: who asks, for which node, with which key."""

    queue: JobQueue
    node: str
    operator: Operator
    idempotency_key: str | None

    async def submit(self, job: Job) -> TaskAccepted:
        """Hand the job to the node's workers and return its task.

        Raises:
            BrokerUnavailableError: the message could not be sent; the row is Failed and says so.
            IdempotencyConflictError: the key came before, with another request.
            QueueFullError: too much waits for the node already; the row is Failed and says so.
        """
        task_id = await self.queue.submit(
            job, node=self.node, operator=self.operator, idempotency_key=self.idempotency_key
        )
        return TaskAccepted(taskID=task_id)


async def submitter(w: Wired, caller: Caller, node: Node, key: IdempotencyKey = None) -> Submitter:
    """Return what submits the jobs of this request."""
    return Submitter(w.jobs, node, caller, key)


Jobs = Annotated[Submitter, Depends(submitter)]

# what a route that submits a job can answer because of it
JOB_ERRORS = (
    *NODE_ERRORS,
    CrossOriginError,
    IdempotencyConflictError,
    BrokerUnavailableError,
    QueueFullError,
)
