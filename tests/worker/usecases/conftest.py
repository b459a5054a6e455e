"""Use cases on real files and the fake program."""

from collections.abc import AsyncIterator

import pytest

from buddy_common.adapters.host_plane import HostPlane
from fakes.openclaw_program import FakeOpenClaw
from worker.usecases.scene import RecordingJob, build_host


@pytest.fixture
def unused_host(monkeypatch: pytest.MonkeyPatch, fake_openclaw: FakeOpenClaw) -> HostPlane:
    """Built before there is a loop."""
    monkeypatch.setenv("BUDDY_OPENCLAW", str(fake_openclaw.program))
    monkeypatch.setenv("OPENCLAW_CONFIG_DIR", str(fake_openclaw.config_dir))
    return build_host()


@pytest.fixture
async def host(unused_host: HostPlane) -> AsyncIterator[HostPlane]:
    yield unused_host
    await unused_host.close()


@pytest.fixture
def job(host: HostPlane) -> RecordingJob:
    return RecordingJob(host, "task-1")
