"""The wiring of one host plane."""

import asyncio
from pathlib import Path

import pytest
from redis.asyncio import Redis

from buddy_common.adapters.host_plane import build_host_plane
from buddy_common.schemas.backups import BackupReason
from buddy_common.schemas.gateway import Desired
from buddy_common.settings import GatewaySettings, HomeSettings, OpenClawSettings, WatchdogSettings
from fakes.openclaw_program import FakeOpenClaw


async def test_host_plane_acts_on_its_own_node_and_gateway(
    redis: Redis, fake_openclaw: FakeOpenClaw, tmp_path: Path
) -> None:
    home = HomeSettings(home=tmp_path / "buddy", node="vps-1")

    plane = build_host_plane(
        redis,
        home=home,
        gateway=GatewaySettings(config_dir=fake_openclaw.config_dir),
        openclaw=OpenClawSettings(program=fake_openclaw.program),
        watchdog=WatchdogSettings(),
    )

    assert plane.node == "vps-1"
    assert plane.state.gateway_file.parent == home.node_state
    assert await plane.gateway.port() == fake_openclaw.port
    assert (await plane.openclaw.inspect()).path == str(fake_openclaw.program)
    await plane.state.set_desired(Desired.RUNNING)
    assert await plane.state.desired() is Desired.RUNNING
    assert await plane.read_model.get("vps-1", "gateway") is None
    await plane.close()


@pytest.mark.parametrize(("named", "folder"), [(None, "buddy/nodes/vps-1/backups"), ("bak", "bak/vps-1")])
async def test_backups_are_in_the_folder_of_the_node_unless_told_otherwise(
    redis: Redis, tmp_path: Path, named: str | None, folder: str
) -> None:
    plane = build_host_plane(
        redis,
        home=HomeSettings(home=tmp_path / "buddy", node="vps-1"),
        gateway=GatewaySettings(config_dir=tmp_path),
        openclaw=OpenClawSettings(),
        watchdog=WatchdogSettings(backup_dir=None if named is None else tmp_path / named),
    )

    await asyncio.to_thread(plane.history.add, b"{}", {}, reason=BackupReason.MANUAL)

    assert (tmp_path / folder / "records").is_dir()
    await plane.close()


@pytest.mark.parametrize(("named", "folder"), [(None, "buddy/nodes/vps-1/reports"), ("r", "r/vps-1")])
async def test_reports_are_in_the_folder_of_the_node_unless_told_otherwise(
    redis: Redis, tmp_path: Path, named: str | None, folder: str
) -> None:
    plane = build_host_plane(
        redis,
        home=HomeSettings(home=tmp_path / "buddy", node="vps-1"),
        gateway=GatewaySettings(config_dir=tmp_path),
        openclaw=OpenClawSettings(),
        watchdog=WatchdogSettings(report_dir=None if named is None else tmp_path / named),
    )

    await asyncio.to_thread(plane.reports.write, "i1.md", "x")

    assert await asyncio.to_thread((tmp_path / folder / "i1.md").read_text) == "x"
    await plane.close()
