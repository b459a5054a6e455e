"""Sending a job's message to its node; a broker that is gone is told within seconds.

Needs the extra `buddy-common[jobs]`: only services that send jobs carry Celery.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from celery import Celery
from kombu.exceptions import OperationalError

from buddy_common.errors import BrokerUnavailableError
from buddy_common.schemas.job import JobMessage, Lane, queue_name

PUBLISH_SECONDS = 4.0


class JobSender:
    """Sends messages by name; it knows no task."""

    def __init__(self, redis_url: str) -> None:
        self._producer = _build_producer(redis_url)
        # few threads of our own: a dead broker holds each for seconds, and nobody else may wait for them
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="publish")

    async def send(self, task_id: str, *, kind: str, node: str, lane: Lane) -> None:
        """Send the message of a task whose row is written.

        Raises:
            BrokerUnavailableError: it is not known to have been sent.
        """

        def send() -> None:
            self._producer.send_task(
                kind,
                kwargs=JobMessage(task_id=task_id).model_dump(),
                task_id=task_id,
                queue=queue_name(node, lane),
                ignore_result=True,
            )

        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await loop.run_in_executor(self._threads, send)
        except (OperationalError, OSError, TimeoutError) as exc:
            raise BrokerUnavailableError(
                f"The job was not sent: the broker (Redis) did not answer ({type(exc).__name__}).",
                taskID=task_id,
            ) from exc

    def close(self) -> None:
        """Let go of threads and connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._producer.close()


def _build_producer(redis_url: str) -> Celery:
    producer = Celery("buddy_sender", broker=redis_url, set_as_current=False)
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
