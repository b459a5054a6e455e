"""The read model: what a node last said about each resource, kept in Redis as ready JSON with its tag.

One hash per node: the head of a resource (tag, source, age) in the field of its name, its JSON in
`NAME:data`, in `NAME:doubt` whether it is out of date, and in `link` whether the node holds a connection to
its gateway. Each is written as a whole: what is read first and written back could bring back an older one.
"""

import hashlib
import json
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel
from redis.asyncio import Redis

from buddy_common.adapters.redis_client import broker_errors

_LINK = "link"
_UP, _DOWN = "up", "down"
_DOUBTFUL = "doubtful"
# a reader that was killed says nothing any more: after this long without its word there is no connection
LINK_SECONDS = 15.0


@dataclass(frozen=True)
class ReadHead:
    """What is known of a resource besides its content."""

    etag: str  # of the content
    source: str
    updated_at: datetime
    fresh_seconds: float
    of_gateway: bool = False  # it mirrors the gateway: without a connection to that, it is out of date
    linked: bool = True
    doubtful: bool = False  # it has changed since, or could not be read again

    @property
    def age_seconds(self) -> float:
        """Seconds since the node published it, or found it unchanged."""
        return max(0.0, time.time() - self.updated_at.timestamp())

    @property
    def stale(self) -> bool:
        """Whether the node should have looked again by now, or cannot."""
        overdue = self.age_seconds > self.fresh_seconds
        return overdue or self.doubtful or (self.of_gateway and not self.linked)


@dataclass(frozen=True)
class ReadEntry:
    """A resource as a node last published it."""

    data: str  # JSON
    head: ReadHead


class ReadModel:
    """Resources of nodes, written by host planes and read by the api."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def put(
        self,
        node: str,
        resource: str,
        value: BaseModel | str,
        *,
        source: str,
        fresh_seconds: float,
        of_gateway: bool = False,
        updated_at: float | None = None,
        doubtful: bool = False,
    ) -> None:
        """Publish a resource, a model or its JSON; without news for `fresh_seconds` it counts as stale.

        `updated_at`: when it was read, in Unix seconds, by default now. `doubtful`: it has changed since.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        data = value if isinstance(value, str) else value.model_dump_json()
        head = {
            "etag": content_tag(data.encode()),
            "source": source,
            "updated_at": time.time() if updated_at is None else updated_at,
            "fresh_seconds": fresh_seconds,
            "of_gateway": of_gateway,
        }
        async with broker_errors():
            await self._redis.hset(
                _key(node),
                mapping={
                    resource: json.dumps(head),
                    f"{resource}:data": data,
                    _doubt(resource): _DOUBTFUL if doubtful else "",
                },
            )

    async def doubt(self, node: str, resource: str) -> None:
        """Say that a resource is out of date until it is published again.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors():
            await self._redis.hset(_key(node), _doubt(resource), _DOUBTFUL)

    async def get(self, node: str, resource: str) -> ReadEntry | None:
        """Return what the node last published, None when it never did.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors():
            raw, doubt, link, data = await self._redis.hmget(
                _key(node), [resource, _doubt(resource), _LINK, f"{resource}:data"]
            )
        head = _head(raw, doubt, link)
        return ReadEntry(str(data), head) if head is not None and data is not None else None

    async def head(self, node: str, resource: str) -> ReadHead | None:
        """Return the same without the content.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors():
            raw, doubt, link = await self._redis.hmget(_key(node), [resource, _doubt(resource), _LINK])
        return _head(raw, doubt, link)

    async def has_all(self, node: str, resources: Collection[str]) -> bool:
        """Whether all of them are there, fresh or not.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        if not resources:
            return True
        async with broker_errors():
            return None not in await self._redis.hmget(_key(node), list(resources))

    async def set_link(self, node: str, *, up: bool) -> None:
        """Say whether the node holds a connection to its gateway; it holds for `LINK_SECONDS`.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors():
            await self._redis.hset(_key(node), _LINK, f"{_UP if up else _DOWN} {time.time():.3f}")


def content_tag(content: bytes) -> str:
    """Return what tells one content from another."""
    return hashlib.blake2b(content, digest_size=12).hexdigest()


def _doubt(resource: str) -> str:
    return f"{resource}:doubt"


def _head(raw: str | bytes | None, doubt: str | bytes | None, link: str | bytes | None) -> ReadHead | None:
    if raw is None:
        return None
    head = json.loads(raw)
    return ReadHead(
        etag=head["etag"],
        source=head["source"],
        updated_at=datetime.fromtimestamp(head["updated_at"], UTC),
        fresh_seconds=head["fresh_seconds"],
        of_gateway=head["of_gateway"],
        linked=link is not None and _is_up(link),
        doubtful=doubt == _DOUBTFUL,
    )


def _is_up(link: str | bytes) -> bool:
    state, _, said_at = str(link).partition(" ")
    return state == _UP and time.time() - float(said_at or 0) < LINK_SECONDS


def _key(node: str) -> str:
    return f"buddy:{node}:read"
