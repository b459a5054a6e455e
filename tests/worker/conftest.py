"""A worker's objects over a real broker, a real database and the fake program."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from buddy_common.schemas.job import Lane
from buddy_worker.wiring import Wiring, WorkerConfig, build_wiring
from fakes.broker import BrokerServer
from fakes.openclaw_program import FakeOpenClaw
from worker.process import Worker


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


@pytest.fixture
def start_worker(
    own_broker: BrokerServer, database_url: str, fake_openclaw: FakeOpenClaw, tmp_path: Path
) -> Iterator[Callable[[Lane], Worker]]:
    """Start real worker processes of one node."""
    started: list[Worker] = []

    def start(lane: Lane) -> Worker:
        worker = Worker(
            database_url=database_url,
            broker_url=own_broker.url,
            fake=fake_openclaw,
            home=tmp_path / "buddy",
            lane=lane,
        )
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.close()


@pytest.fixture
def worker(start_worker: Callable[[Lane], Worker]) -> Worker:
    """A real worker process of the fast lane."""
    return start_worker(Lane.FAST)
