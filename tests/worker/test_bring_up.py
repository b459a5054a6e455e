"""The gateway's start with its container: by the container's first process, without broker and database."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from buddy_common.adapters.host_state import FileHostState
from buddy_common.adapters.node_locks import NodeLocks
from buddy_common.adapters.processes import boot_id
from buddy_common.schemas.gateway import Desired
from buddy_common.schemas.job import NodeLock
from buddy_common.settings import GatewaySettings, HomeSettings, OpenClawSettings
from buddy_worker.bring_up import bring_up
from eventually import wait_until
from fakes.openclaw_program import FakeOpenClaw

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def home(tmp_path: Path) -> HomeSettings:
    return HomeSettings(home=tmp_path / "buddy")


@pytest.fixture
def openclaw(fake_openclaw: FakeOpenClaw) -> OpenClawSettings:
    return OpenClawSettings(program=fake_openclaw.program)


@pytest.fixture
def gateway(fake_openclaw: FakeOpenClaw) -> GatewaySettings:
    return GatewaySettings(config_dir=fake_openclaw.config_dir, service="none")


def runs(fake: FakeOpenClaw) -> bool:
    return any(str(fake.program) in (each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"]))


async def test_it_starts_the_gateway_and_wants_it_to_run(
    home: HomeSettings, gateway: GatewaySettings, openclaw: OpenClawSettings, fake_openclaw: FakeOpenClaw
) -> None:
    assert await bring_up(home, gateway, openclaw)

    assert await FileHostState(home.node_state).desired() is Desired.RUNNING
    assert runs(fake_openclaw)


async def test_a_gateway_that_was_stopped_on_purpose_stays_so(
    home: HomeSettings, gateway: GatewaySettings, openclaw: OpenClawSettings, fake_openclaw: FakeOpenClaw
) -> None:
    await FileHostState(home.node_state).set_desired(Desired.STOPPED)

    assert await bring_up(home, gateway, openclaw)

    assert not runs(fake_openclaw)


async def test_a_gateway_that_was_killed_with_its_keeper_is_no_obstacle(
    home: HomeSettings, gateway: GatewaySettings, openclaw: OpenClawSettings, fake_openclaw: FakeOpenClaw
) -> None:
    record = {"pid": 2**22 - 1, "started": 1.0, "boot": boot_id()}  # no end: nobody was left to write it
    await asyncio.to_thread(home.node_state.mkdir, parents=True)
    await asyncio.to_thread((home.node_state / "gateway.json").write_text, json.dumps(record))

    assert await bring_up(home, gateway, openclaw)

    assert runs(fake_openclaw)


async def test_a_job_that_is_at_it_is_left_alone(
    home: HomeSettings, gateway: GatewaySettings, openclaw: OpenClawSettings, fake_openclaw: FakeOpenClaw
) -> None:
    held = await asyncio.to_thread(NodeLocks(home.node_state).try_hold, {NodeLock.LIFECYCLE})
    assert held is not None

    assert await bring_up(home, gateway, openclaw)

    assert not runs(fake_openclaw)
    held.release()


async def test_a_start_that_fails_is_told_and_frees_its_lock(
    home: HomeSettings, gateway: GatewaySettings, openclaw: OpenClawSettings, fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.configure(exit=78)

    assert not await bring_up(home, gateway, openclaw)

    assert await asyncio.to_thread(NodeLocks(home.node_state).are_free, {NodeLock.LIFECYCLE})


async def test_a_first_config_is_written_where_there_is_none(
    home: HomeSettings, openclaw: OpenClawSettings, tmp_path: Path
) -> None:
    gateway = GatewaySettings(config_dir=tmp_path / "fresh", service="none")

    await bring_up(home, gateway, openclaw)  # the fake wants a port in it, and does not start

    assert json.loads(gateway.config_file.read_text())["gateway"]["bind"] == "loopback"


@pytest.fixture
def container(fake_openclaw: FakeOpenClaw, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a container's first process, which brings a gateway up at once."""
    folder = tmp_path_factory.mktemp("init")
    environment = os.environ | {
        "BUDDY_HOME": str(folder / "home"),
        "BUDDY_GATEWAY_INIT": str(folder / "s"),
        "BUDDY_GATEWAY_SERVICE": "none",
        "BUDDY_OPENCLAW": str(fake_openclaw.program),
        "OPENCLAW_CONFIG_DIR": str(fake_openclaw.config_dir),
    }
    init = [sys.executable, "-m", "buddy_worker.container_init", str(folder / "s"), "5"]
    process = subprocess.Popen([*init, sys.executable, "-m", "buddy_worker.bring_up"], env=environment)
    yield folder
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=10)
    process.kill()


def test_a_container_brings_its_gateway_up_and_outlives_it(
    container: Path, fake_openclaw: FakeOpenClaw
) -> None:
    record = container / "home" / "nodes" / "local" / "gateway.json"
    wait_until(record.exists, bool, seconds=30)
    keeper = psutil.Process(json.loads(record.read_text())["pid"]).parent()
    assert keeper is not None
    init = keeper.parent()
    assert init is not None
    assert "buddy_worker.container_init" in init.cmdline()

    psutil.Process(json.loads(record.read_text())["pid"]).kill()

    keeper.wait(timeout=10)
    assert init.is_running()
    assert runs(fake_openclaw) is False
