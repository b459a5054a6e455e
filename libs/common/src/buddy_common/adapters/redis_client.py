"""Connections to Redis that fail fast and in our own terms."""

import asyncio
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
    """Turn redis-py's exceptions into ours, and let no cancellation get lost.

    redis-py sends inside `asyncio.wait_for`, which before Python 3.12 forgets a cancellation that comes just
    when it is done: a task that reads for ever would then go on for ever.

    Raises:
        BrokerUnavailableError: Redis did not answer.
    """
    task = asyncio.current_task()
    cancelled_before = task.cancelling() if task is not None else 0
    try:
        yield
    except (RedisError, OSError, TimeoutError) as exc:
        if task is not None and task.cancelling() > cancelled_before:
            raise asyncio.CancelledError from exc
        raise BrokerUnavailableError(f"The broker (Redis) did not answer: {type(exc).__name__}.") from exc
    if task is not None and task.cancelling() > cancelled_before:
        raise asyncio.CancelledError
