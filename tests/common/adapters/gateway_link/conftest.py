"""A gateway that is a stand-in, and a link to it."""

from collections.abc import AsyncIterator

import pytest

from buddy_common.adapters import gateway_link, gateway_rpc
from common.adapters.gateway_link.follower import Follower
from fakes.gateway import FakeGateway, running


@pytest.fixture
async def gateway() -> AsyncIterator[FakeGateway]:
    async with running(FakeGateway({"health": {"ok": True}})) as fake:
        yield fake


@pytest.fixture
async def follower() -> AsyncIterator[Follower]:
    followed = Follower()
    yield followed
    await followed.end()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """No pauses; returns for each what it was computed from."""
    pauses: list[tuple[int, bool]] = []

    def pause(failures: int, *, refused: bool) -> float:
        pauses.append((failures, refused))
        return 0.001

    monkeypatch.setattr(gateway_link, "_pause", pause)
    monkeypatch.setattr(gateway_link, "STEADY_SECONDS", 0.0)
    # asyncio forgets a connection that it accepts in the moment in which its server is closed
    monkeypatch.setattr(gateway_rpc, "HANDSHAKE_SECONDS", 1.0)
    return pauses
