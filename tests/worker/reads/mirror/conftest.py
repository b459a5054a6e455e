"""A node and its gateway."""

from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from buddy_worker.reads import mirror as module
from buddy_worker.wiring import Wiring
from fakes.gateway import FakeGateway
from worker.reads.mirror.node import Node
from worker.reads.recorded import NEW, recording


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The intervals are what is waited for here."""
    for name, seconds in {"LEAD_SECONDS": 0.05, "LOOK_SECONDS": 0.05, "BEAT_SECONDS": 0.05}.items():
        monkeypatch.setattr(module, name, seconds)


@pytest.fixture
async def gateway() -> AsyncIterator[FakeGateway]:
    recorded = recording(NEW)
    fake = FakeGateway({name: answer for name, answer in recorded.items() if name != "hello"})
    fake.methods["sessions.subscribe"] = {"subscribed": True}
    await fake.start()
    yield fake
    with suppress(Exception):
        await fake.stop()


@pytest.fixture
async def node(w: Wiring, gateway: FakeGateway) -> AsyncIterator[Node]:
    found = Node(w, gateway)
    yield found
    await found.end()
