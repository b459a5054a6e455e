"""What lies in a broker queue: Kombu keeps each as a Redis list of JSON messages."""

import json
from collections.abc import Iterator

from redis.asyncio import Redis

from buddy_common.adapters.redis_client import broker_errors
from buddy_common.errors import QueueFullError
from buddy_common.schemas.job import Lane, queue_name

# of a lane; a message has a kilobyte, and stays there while no worker is, cancelled task or not
MAX_MESSAGES = 5000


async def require_room(redis: Redis, *, node: str, lane: Lane) -> None:
    """Refuse a further message where as many as may wait do; a few that come at once get in beyond that.

    Raises:
        BrokerUnavailableError: Redis did not answer.
        QueueFullError: the node's workers do not keep up, or are not there.
    """
    async with broker_errors():
        waiting = await redis.llen(queue_name(node, lane))
    if waiting >= MAX_MESSAGES:
        raise QueueFullError(node)


async def queued_task_ids(redis: Redis, queue: str) -> frozenset[str]:
    """Return the ids of the tasks whose messages wait in the queue.

    The id stands in the headers of Celery's message protocol, version 2
    (https://docs.celeryq.dev/en/stable/internals/protocol.html).

    Raises:
        BrokerUnavailableError: Redis did not answer.
    """
    async with broker_errors():
        messages = await redis.lrange(queue, 0, -1)
    return frozenset(_ids([str(message) for message in messages]))


def _ids(messages: list[str]) -> Iterator[str]:
    for message in messages:
        try:
            yield str(json.loads(message)["headers"]["id"])
        except (ValueError, KeyError, TypeError):  # not one of ours; a duplicate message does no harm
            continue
