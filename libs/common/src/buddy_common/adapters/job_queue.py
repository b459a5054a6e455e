"""Submitting a job: the row first, then the message; a broker that is gone fails both within seconds.

Needs the extra `buddy-common[jobs]`, as `job_sender` does.
"""

import asyncio
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

import structlog
from redis.asyncio import Redis
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from buddy_common.adapters.broker_queue import require_room
from buddy_common.adapters.job_sender import JobSender
from buddy_common.adapters.sealed_payloads import SealedPayloads, new_seal_key
from buddy_common.db import events, task_claims, tasks
from buddy_common.db.engine import Database
from buddy_common.errors import BrokerUnavailableError, IdempotencyConflictError, QueueFullError
from buddy_common.ports import Caller
from buddy_common.schemas.events import EventStatus
from buddy_common.schemas.job import Job

log = structlog.get_logger(__name__)

# for tidying up after a failure, for which nobody waits as long as for the work
FORGET_SECONDS = 0.5


@dataclass(frozen=True)
class _Recorded:
    """The task of a request, and whether this request made it."""

    task_id: str
    is_new: bool


class JobQueue:
    """Hands jobs to the workers of a node."""

    def __init__(self, sender: JobSender, database: Database, redis: Redis, *, key: bytes) -> None:
        self._key = key  # the same in all processes that share the database, and not in it
        self._sender = sender
        self._database = database
        self._redis = redis
        self._sealed = SealedPayloads(redis)

    async def submit(
        self,
        job: Job,
        *,
        node: str,
        operator: Caller,
        idempotency_key: str | None = None,
        retry_of: str | None = None,
    ) -> str:
        """Write the row and the audit event, send the message, return the task's id.

        A key that came before, with the same request, gives the task of that time.

        Raises:
            BrokerUnavailableError: the message could not be sent; the row is Failed and says so.
            DatabaseUnavailableError: nothing was sent. Should the row be there all the same, for its commit
                went unanswered, the sweep runs it; who repeats the request with a key finds it.
            IdempotencyConflictError: the key came before, with another request.
            QueueFullError: too much waits for the node already; the row is Failed and says so.
        """

        job, apart = job.seal()
        if apart:
            job = job.model_copy(update={"seal_key": new_seal_key()})
        digest = self._digest({name: value for name, value in apart.items() if name in job.secret_fields})

        def record(session: Session) -> _Recorded:
            asked = tasks.fingerprint(job, node=node, retry_of=retry_of, secret_digest=digest)
            earlier = _earlier(session, asked, actor=operator.name, key=idempotency_key)
            if earlier is not None:
                return _Recorded(earlier, is_new=False)
            row = tasks.add(
                session,
                job,
                node=node,
                actor=operator.name,
                retry_of=retry_of,
                idempotency_key=idempotency_key,
                secret_digest=digest,
            )
            events.add(
                session,
                actor=operator.name,
                action=f"{job.action}_{job.module}",
                status=EventStatus.PENDING,
                target=job.target,
                task_id=row.id,
                address=operator.address,
                node=node,
            )
            return _Recorded(row.id, is_new=True)

        try:
            recorded = await self._database.run(record)
        except IntegrityError:  # the same key, at the same moment: now it is there to be found
            recorded = await self._database.run(record)
        if recorded.is_new:
            await self._send(job, apart, task_id=recorded.task_id, node=node)
        return recorded.task_id

    def _digest(self, secret: dict[str, Any]) -> str | None:
        """Return what tells these secrets from others, to whoever has the key alone."""
        if not secret:
            return None
        text = json.dumps(["secrets of a job", secret], sort_keys=True)  # the key signs sessions as well
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    async def _send(self, job: Job, apart: dict[str, Any], *, task_id: str, node: str) -> None:
        try:
            await require_room(self._redis, node=node, lane=job.lane)
            if job.seal_key is not None:
                await self._sealed.put(task_id, apart, key=job.seal_key, node=node)
            await self._sender.send(task_id, kind=job.task, node=node, lane=job.lane)
        except (BrokerUnavailableError, QueueFullError) as exc:
            await self._give_up(task_id, exc)
        log.info("job_submitted", task_id=task_id, kind=job.task, node=node)

    async def _give_up(self, task_id: str, exc: BrokerUnavailableError | QueueFullError) -> None:
        """End the row, unless a worker has it: then the message did get through."""

        def record(session: Session) -> bool:
            failed = task_claims.fail_unpublished(session, task_id, error=exc.message, error_code=exc.error)
            if failed:
                events.close(session, task_id, status=EventStatus.FAILED, detail=exc.message)
            return failed

        if await self._database.run(record):
            log.error("job_not_sent", task_id=task_id, reason=exc.message)
            exc.detail["taskID"] = task_id
            await self.forget(task_id)
            raise exc

    async def forget(self, task_id: str) -> None:
        """Let the broker forget what it has of a task that ended before any worker took it."""
        try:
            async with asyncio.timeout(FORGET_SECONDS):
                await self._sealed.drop(task_id)
        except (BrokerUnavailableError, TimeoutError) as exc:  # it forgets that by itself within an hour
            log.warning("sealed_payload_left", task_id=task_id, reason=repr(exc))

    def close(self) -> None:
        """Let go of threads and connections."""
        self._sender.close()


def _earlier(session: Session, asked: str, *, actor: str, key: str | None) -> str | None:
    """Return the task that this key made before.

    Raises:
        IdempotencyConflictError: it came with another request.
    """
    if key is None:
        return None
    row = tasks.with_key(session, actor=actor, idempotency_key=key)
    if row is None:
        return None
    if row.fingerprint != asked:
        raise IdempotencyConflictError(
            "This Idempotency-Key came with another request before. Use a new key for a new request.",
            taskID=row.id,
        )
    return row.id
