"""Live progress and output of tasks: one Redis stream each. The rows in the database are the truth."""

from typing import Any, cast

from redis.asyncio import Redis

from buddy_common.adapters.redis_client import broker_errors

KEPT_ENTRIES = 5000
# which tasks have changed, of all nodes: whoever reads it has fallen too far behind after this many
KEPT_CHANGES = 2000
_CHANGES = "buddy:tasks:changed"
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
            if any(entry.keys() - {"line"} for entry in entries):
                pipeline.xadd(_CHANGES, {"task_id": task_id}, maxlen=KEPT_CHANGES, approximate=True)
            await pipeline.execute()

    async def position(self, task_id: str) -> str:
        """Return where the stream ends now, to wait from there.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        return await self._end_of(_key(task_id))

    async def wait(self, task_id: str, *, after: str, seconds: float) -> str:
        """Wait until something was added after `after`; return the new end, or `after` on silence.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        entries = await self._after(_key(task_id), after, seconds)
        return entries[-1][0] if entries else after

    async def changes_position(self) -> str:
        """Return where the list of changed tasks ends now, to wait from there.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        return await self._end_of(_CHANGES)

    async def wait_for_changes(self, *, after: str, seconds: float) -> tuple[list[str], str]:
        """Return which tasks of any node have changed since `after`, each once, and the new end.

        More output is no change. Returns at the first one, and with none after `seconds`, 3 at most.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        entries = await self._after(_CHANGES, after, seconds)
        changed = dict.fromkeys(str(fields["task_id"]) for _, fields in entries)
        return list(changed), entries[-1][0] if entries else after

    async def _end_of(self, key: str) -> str:
        async with broker_errors():
            last = await self._redis.xrevrange(key, count=1)
        return str(last[0][0]) if last else "0-0"

    async def _after(self, key: str, position: str, seconds: float) -> list[tuple[str, Any]]:
        async with broker_errors():
            found = await self._redis.xread({key: position}, block=max(1, int(min(seconds, 3.0) * 1000)))
        streams = cast("list[tuple[str, list[tuple[str, Any]]]]", found or [])
        return [entry for _, entries in streams for entry in entries]


def _key(task_id: str) -> str:
    return f"buddy:task:{task_id}"
