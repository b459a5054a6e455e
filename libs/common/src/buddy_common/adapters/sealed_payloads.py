"""What a job needs but its row must not hold: secrets, kept in Redis until a worker takes them.

Redis writes what it holds to its disk, and keeps it there after it is gone. So it gets them encrypted; the
key is in the row. Neither of the two, nor a copy of it, says anything alone.
"""

import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from redis.asyncio import Redis

from buddy_common.adapters.redis_client import broker_errors

# a job that waited longer for its locks is asked for again, by a person who still has the secret
KEEP_SECONDS = 3600


def new_seal_key() -> str:
    """Return a key for the fields of one task."""
    return Fernet.generate_key().decode()


class SealedPayloads:
    """Fields of jobs, by task; each is handed out once."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def put(self, task_id: str, fields: dict[str, Any], *, key: str) -> None:
        """Keep fields for the worker that will run the task.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        sealed = Fernet(key).encrypt(json.dumps(fields).encode())
        async with broker_errors():
            await self._redis.set(_place(task_id), sealed, ex=KEEP_SECONDS)

    async def take(self, task_id: str, *, key: str) -> dict[str, Any] | None:
        """Return the fields and forget them; None when they are gone already, or not those of this key.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors():
            sealed = await self._redis.getdel(_place(task_id))
        if sealed is None:
            return None
        try:
            return dict(json.loads(Fernet(key).decrypt(sealed)))
        except InvalidToken:
            return None


def _place(task_id: str) -> str:
    return f"buddy:sealed:{task_id}"
