"""What lies in a broker queue: Kombu keeps each as a Redis list of JSON messages."""

import json
from collections.abc import Iterator

from redis.asyncio import Redis

from buddy_common.adapters.redis_client import broker_errors


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
