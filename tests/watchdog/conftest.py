"""The gateway that the watchdog's tests break."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from fakes.openclaw_program import FakeOpenClaw
from watchdog.scene import Ward


@pytest.fixture
async def ward(redis_url: str, fake_openclaw: FakeOpenClaw) -> AsyncIterator[Ward]:
    """A gateway of the fake program, not started yet."""
    ward = await asyncio.to_thread(Ward, redis_url, fake_openclaw)
    yield ward
    await ward.host.close()
