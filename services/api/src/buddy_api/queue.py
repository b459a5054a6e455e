"""Submitting a job: the row first, then the message; a broker that is gone fails both within seconds."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from sqlmodel import Session

from buddy_api.auth import Operator
from buddy_common.db import events, tasks
from buddy_common.db.engine import Database
from buddy_common.errors import BrokerUnavailableError
from buddy_common.schemas.events import EventStatus
from buddy_common.schemas.jobs import Job, JobMessage, Lane, queue_name

log = structlog.get_logger(__name__)

PUBLISH_SECONDS = 4.0


def build_producer(redis_url: str) -> Celery:
    """Return the Celery app that only sends; it knows no task, only names."""
    producer = Celery("buddy_api", broker=redis_url, set_as_current=False)
    producer.conf.update(
        task_ignore_result=True,
        task_send_sent_event=True,  # Flower sees the task before a worker does
        task_serializer="json",
        broker_connection_timeout=1,
        broker_transport_options={
            "socket_connect_timeout": 1,
            "socket_timeout": 2,
            "socket_keepalive": True,
            "health_check_interval": 25,
        },
        task_publish_retry_policy={
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0.1,
            "interval_max": 0.2,
        },
    )
    return producer


class JobQueue:
    """Hands jobs to the workers of a node."""

    def __init__(self, producer: Celery, database: Database) -> None:
        self._producer = producer
        self._database = database
        # few threads of our own: a dead broker holds each for seconds, and nobody else may wait for them
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="publish")

    async def submit(self, job: Job, *, node: str, operator: Operator) -> str:
        """Write the row and the audit event, send the message, return the task's id.

        Raises:
            BrokerUnavailableError: the message could not be sent; the row is Failed and says so.
            DatabaseUnavailableError: there is no row, and nothing was sent.
        """

        def record(session: Session) -> str:
            row = tasks.add(session, job, node=node, actor=operator.name)
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
            return row.id

        task_id = await self._database.run(record)
        try:
            await self._publish(job, task_id=task_id, node=node)
        except (OperationalError, OSError, TimeoutError) as exc:
            await self._give_up(task_id, reason=type(exc).__name__)
        log.info("job_submitted", task_id=task_id, kind=job.task, node=node)
        return task_id

    async def _publish(self, job: Job, *, task_id: str, node: str) -> None:
        lane: Lane = job.lane
        message = JobMessage(task_id=task_id)

        def send() -> None:
            self._producer.send_task(
                job.task,
                kwargs=message.model_dump(),
                task_id=task_id,
                queue=queue_name(node, lane),
                ignore_result=True,
            )

        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PUBLISH_SECONDS):
            await loop.run_in_executor(self._threads, send)

    async def _give_up(self, task_id: str, *, reason: str) -> None:
        """End the row, unless a worker has it: then the message did get through."""
        text = f"The job was not sent: the broker (Redis) did not answer ({reason})."

        def record(session: Session) -> bool:
            failed = tasks.fail_unpublished(
                session, task_id, error=text, error_code=BrokerUnavailableError.error
            )
            if failed:
                events.close(session, task_id, status=EventStatus.FAILED, detail=text)
            return failed

        if await self._database.run(record):
            log.error("job_not_sent", task_id=task_id, reason=reason)
            raise BrokerUnavailableError(text, taskID=task_id)

    def close(self) -> None:
        """Let go of threads and connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._producer.close()
