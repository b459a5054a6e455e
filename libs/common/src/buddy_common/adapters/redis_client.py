"""Connections to Redis that fail fast and in our own terms."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from buddy_common.errors import BrokerUnavailableError


def open_redis(url: str) -> Redis:
    """Return a client for `url`; nothing is connected yet.

    One second to connect: a broker that is gone must never hold up a request.
    """
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=1,
        socket_timeout=4,  # a frozen broker is told within 5 s; blocking reads ask for less
        socket_keepalive=True,
        health_check_interval=25,
        driver_info=None,  # else each new connection reads package metadata from disk, inside the loop
        retry=Retry(
            NoBackoff(), retries=1, supported_errors=(RedisConnectionError,)
        ),  # once: a kept connection may have been closed meanwhile
    )


@asynccontextmanager
async def broker_errors() -> AsyncIterator[None]:
    """Turn redis-py's exceptions into ours.

    Raises:
        BrokerUnavailableError: Redis did not answer.
    """
    try:
        yield
    except (RedisError, OSError, TimeoutError) as exc:
        raise BrokerUnavailableError(f"The broker (Redis) did not answer: {type(exc).__name__}.") from exc
