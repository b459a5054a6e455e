"""Clients of real brokers."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from buddy_common.adapters.redis_client import open_redis
from fakes.broker import BrokerServer


@pytest.fixture
async def dead_redis(own_broker: BrokerServer) -> AsyncIterator[Redis]:
    """A client that was connected to a broker that is gone now."""
    client = open_redis(own_broker.url)
    await client.ping()
    own_broker.stop()
    yield client
    await client.aclose()
