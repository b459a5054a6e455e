"""Which worker processes are alive: a key each in Redis that expires with them."""

import time
from dataclasses import dataclass

from redis.asyncio import Redis

from buddy_common.adapters.redis_client import broker_errors
from buddy_common.schemas.job import Lane

BEAT_SECONDS = 3.0
EXPIRY_SECONDS = 9


@dataclass(frozen=True)
class WorkerPresence:
    """A worker process that was alive at `seen_at` (Unix seconds)."""

    node: str
    lane: Lane
    worker: str
    seen_at: float


class Presence:
    """Announces and lists worker processes."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def beat(self, node: str, lane: Lane, worker: str) -> None:
        """Say that this worker lives.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors():
            await self._redis.set(_key(node, lane, worker), str(time.time()), ex=EXPIRY_SECONDS)

    async def leave(self, node: str, lane: Lane, worker: str) -> None:
        """Say that this worker stops.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors():
            await self._redis.delete(_key(node, lane, worker))

    async def ping(self) -> None:
        """Ask Redis for a sign of life.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors():
            await self._redis.ping()

    async def listing(self) -> list[WorkerPresence]:
        """Return the workers of all nodes that are alive.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors():
            keys = [str(key) async for key in self._redis.scan_iter("buddy:*:worker:*", count=500)]
            values = await self._redis.mget(keys) if keys else []
        return [_parse(key, str(value)) for key, value in zip(keys, values, strict=True) if value is not None]


def _key(node: str, lane: Lane, worker: str) -> str:
    return f"buddy:{node}:worker:{lane}:{worker}"


def _parse(key: str, value: str) -> WorkerPresence:
    _, node, _, lane, worker = key.split(":", 4)
    return WorkerPresence(node=node, lane=Lane(lane), worker=worker, seen_at=float(value))
