"""What a job needs but its row must not hold: secrets, kept in Redis until a worker takes them."""

import json
from typing import Any

from redis.asyncio import Redis

from buddy_common.adapters.redis_client import broker_errors

# a job that waited longer for its locks is asked for again, by a person who still has the secret
KEEP_SECONDS = 3600


class SealedPayloads:
    """Fields of jobs, by task; each is handed out once."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def put(self, task_id: str, fields: dict[str, Any]) -> None:
        """Keep fields for the worker that will run the task.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors():
            await self._redis.set(_key(task_id), json.dumps(fields), ex=KEEP_SECONDS)

    async def take(self, task_id: str) -> dict[str, Any] | None:
        """Return the fields and forget them; None when they are gone already.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors():
            raw = await self._redis.getdel(_key(task_id))
        return None if raw is None else dict(json.loads(raw))


def _key(task_id: str) -> str:
    return f"buddy:sealed:{task_id}"
