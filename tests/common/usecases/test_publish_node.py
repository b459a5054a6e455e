"""Publishing what a host plane sees, on a real broker."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from buddy_common.adapters.host_plane import HostPlane, build_host_plane
from buddy_common.adapters.redis_client import open_redis
from buddy_common.errors import BrokerUnavailableError
from buddy_common.schemas.gateway import GatewaySnapshot, GatewayState, OpenClawInstall
from buddy_common.schemas.resources import Resource
from buddy_common.schemas.system import SystemInfo
from buddy_common.settings import GatewaySettings, HomeSettings, OpenClawSettings, WatchdogSettings
from buddy_common.usecases.follow_startup import Patience
from buddy_common.usecases.observe_gateway import observe_gateway
from buddy_common.usecases.publish_node import publish_gateway, publish_system
from buddy_common.usecases.start_gateway import start_gateway
from fakes.broker import BrokerServer
from fakes.openclaw_program import FakeOpenClaw
from fakes.progress import RecordingProgress


@pytest.fixture
async def plane(
    own_broker: BrokerServer, fake_openclaw: FakeOpenClaw, tmp_path: Path
) -> AsyncIterator[HostPlane]:
    plane = build_host_plane(
        open_redis(own_broker.url),
        home=HomeSettings(home=tmp_path / "buddy"),
        gateway=GatewaySettings(config_dir=fake_openclaw.config_dir),
        openclaw=OpenClawSettings(program=fake_openclaw.program),
        watchdog=WatchdogSettings(),
    )
    yield plane
    await plane.close()


async def publish(plane: HostPlane) -> GatewaySnapshot:
    snapshot = await observe_gateway(
        plane.gateway, plane.state, node=plane.node, system=plane.system, busy=False
    )
    await publish_gateway(plane.read_model, snapshot, plane.openclaw, fresh_seconds=30)
    await publish_system(plane.read_model, snapshot, plane.system, fresh_seconds=30)
    return snapshot


async def read(plane: HostPlane, resource: Resource) -> str:
    entry = await plane.read_model.get(plane.node, resource)
    assert entry is not None
    return entry.data


async def test_stopped_gateway_is_published_with_its_machine_and_program(
    plane: HostPlane, fake_openclaw: FakeOpenClaw
) -> None:
    snapshot = await publish(plane)

    assert snapshot.state is GatewayState.STOPPED
    assert GatewaySnapshot.model_validate_json(await read(plane, Resource.GATEWAY)) == snapshot
    system = SystemInfo.model_validate_json(await read(plane, Resource.SYSTEM))
    assert system.gateway is None
    assert system.disk.percent == snapshot.disk_percent
    install = OpenClawInstall.model_validate_json(await read(plane, Resource.OPENCLAW))
    assert (install.version, install.path) == ("2026.9.6", str(fake_openclaw.program))


async def test_running_gateway_is_published_with_what_it_uses(plane: HostPlane) -> None:
    started = await start_gateway(
        plane.gateway, plane.state, progress=RecordingProgress(), patience=Patience(8, 8)
    )

    snapshot = await publish(plane)

    assert (snapshot.state, snapshot.pid, snapshot.port) == (GatewayState.RUNNING, started.pid, started.port)
    system = SystemInfo.model_validate_json(await read(plane, Resource.SYSTEM))
    assert system.gateway is not None
    assert system.gateway.pid == started.pid
    assert system.gateway.rssMB == pytest.approx(snapshot.rss_bytes / 1024**2, abs=0.1)


async def test_publishing_without_a_broker_says_so(plane: HostPlane, own_broker: BrokerServer) -> None:
    await asyncio.to_thread(own_broker.stop)

    async with asyncio.timeout(5):
        with pytest.raises(BrokerUnavailableError):
            await publish(plane)
