"""The read model: what a node last said about each resource, kept in Redis."""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel
from redis.asyncio import Redis

from buddy_common.adapters.redis_client import broker_errors


@dataclass(frozen=True)
class ReadEntry:
    """A resource as a node last published it."""

    data: str  # JSON
    source: str
    updated_at: datetime
    fresh_seconds: float

    @property
    def age_seconds(self) -> float:
        """Seconds since the node published it."""
        return max(0.0, time.time() - self.updated_at.timestamp())

    @property
    def stale(self) -> bool:
        """Whether the node should have published again by now."""
        return self.age_seconds > self.fresh_seconds


class ReadModel:
    """Resources of nodes, written by host planes and read by the api."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def put(
        self, node: str, resource: str, value: BaseModel, *, source: str, fresh_seconds: float
    ) -> None:
        """Publish a resource; without news for `fresh_seconds` it counts as stale.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        entry = {
            "data": value.model_dump_json(),
            "source": source,
            "updated_at": datetime.now(UTC).isoformat(),
            "fresh_seconds": fresh_seconds,
        }
        async with broker_errors():
            await self._redis.set(_key(node, resource), json.dumps(entry))

    async def get(self, node: str, resource: str) -> ReadEntry | None:
        """Return what the node last published, None when it never did.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors():
            raw = await self._redis.get(_key(node, resource))
        if raw is None:
            return None
        entry = json.loads(raw)
        return ReadEntry(
            data=entry["data"],
            source=entry["source"],
            updated_at=datetime.fromisoformat(entry["updated_at"]),
            fresh_seconds=entry["fresh_seconds"],
        )


def _key(node: str, resource: str) -> str:
    return f"buddy:{node}:read:{resource}"
