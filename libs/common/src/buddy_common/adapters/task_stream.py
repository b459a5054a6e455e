"""Live progress and output of tasks: one Redis stream each. The rows in the database are the truth."""

from typing import Any, cast

from redis.asyncio import Redis

from buddy_common.adapters.redis_client import broker_errors

KEPT_ENTRIES = 5000
KEPT_SECONDS = 24 * 3600


class TaskStream:
    """Appends to and waits on the streams of tasks."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def append(self, task_id: str, entries: list[dict[str, str]]) -> None:
        """Add entries (`stage`, `progress`, `line` or `status`) in one round trip.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        key = _key(task_id)
        async with broker_errors():
            pipeline = self._redis.pipeline(transaction=False)
            for entry in entries:
                pipeline.xadd(key, cast("Any", entry), maxlen=KEPT_ENTRIES, approximate=True)
            pipeline.expire(key, KEPT_SECONDS)
            await pipeline.execute()

    async def position(self, task_id: str) -> str:
        """Return where the stream ends now, to wait from there.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors():
            last = await self._redis.xrevrange(_key(task_id), count=1)
        return str(last[0][0]) if last else "0-0"

    async def wait(self, task_id: str, *, after: str, seconds: float) -> str:
        """Wait until something was added after `after`; return the new end, or `after` on silence.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors():
            found = await self._redis.xread(
                {_key(task_id): after}, block=max(1, int(min(seconds, 3.0) * 1000))
            )
        for _stream, entries in cast("list[tuple[str, list[tuple[str, Any]]]]", found or []):
            after = entries[-1][0]
        return after


def _key(task_id: str) -> str:
    return f"buddy:task:{task_id}"
