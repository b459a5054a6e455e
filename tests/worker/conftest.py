"""A worker's objects over a real broker, a real database and the fake program."""

from collections.abc import AsyncIterator

import pytest

from buddy_common.schemas.jobs import Lane
from buddy_worker.wiring import Wiring, WorkerConfig, build_wiring
from fakes.openclaw_program import FakeOpenClaw


@pytest.fixture
def worker_environment(
    monkeypatch: pytest.MonkeyPatch, redis_url: str, database_url: str, fake_openclaw: FakeOpenClaw
) -> pytest.MonkeyPatch:
    monkeypatch.setenv("BUDDY_REDIS_URL", redis_url)
    monkeypatch.setenv("BUDDY_DATABASE_URL", database_url)
    monkeypatch.setenv("BUDDY_OPENCLAW", str(fake_openclaw.program))
    monkeypatch.setenv("OPENCLAW_CONFIG_DIR", str(fake_openclaw.config_dir))
    return monkeypatch


@pytest.fixture
def unused_wiring(worker_environment: pytest.MonkeyPatch) -> Wiring:
    """Built before there is a loop, as `main` does."""
    del worker_environment
    return build_wiring(WorkerConfig.from_environment(Lane.FAST))


@pytest.fixture
async def w(unused_wiring: Wiring) -> AsyncIterator[Wiring]:
    yield unused_wiring
    await unused_wiring.redis.aclose()
    unused_wiring.database.engine.dispose()
