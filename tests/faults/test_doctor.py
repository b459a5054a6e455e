"""The real doctor looks at a real state folder, and leaves it as it was."""

import asyncio
import hashlib
import os
import signal
from pathlib import Path

import pytest

from buddy_common.adapters.host_plane import build_host_plane
from buddy_common.adapters.redis_client import open_redis
from buddy_common.settings import GatewaySettings, HomeSettings, OpenClawSettings, WatchdogSettings
from buddy_watchdog.doctor import Doctor
from faults.ward import Ward

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


def contents(folder: Path) -> dict[str, str]:
    """Return the hash of each file, and the mode of each folder."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else oct(path.stat().st_mode)
        )
        for path in folder.rglob("*")
    }


def test_what_only_looks_changes_no_byte_of_the_state_folder(
    ward: Ward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = ward.system
    system.ensure_running()
    system.ensure_stopped()
    monkeypatch.setenv("BUDDY_HOME", str(tmp_path))
    host = build_host_plane(
        open_redis(system.buddy.machine.broker_url),
        home=HomeSettings(),
        gateway=GatewaySettings(config_dir=system.openclaw.config_dir),
        openclaw=OpenClawSettings(program=system.openclaw.program),
        watchdog=WatchdogSettings(),
    )

    async def look() -> list[str]:
        try:
            return await Doctor(host).look()
        finally:
            await host.close()

    before = contents(system.openclaw.config_dir)
    found = asyncio.run(look())

    assert found[0].startswith("doctor --lint: ran ")
    assert contents(system.openclaw.config_dir) == before
    assert "openclaw.json" in before


def test_what_the_doctor_says_is_in_the_report_of_a_repair(ward: Ward) -> None:
    pid = ward.prepare()
    os.kill(pid, signal.SIGKILL)
    ward.until(lambda: "repair" in ward.kinds(), "it is repaired")
    name = next(event["report"] for event in ward.events() if event["kind"] == "repair")

    def report() -> str:
        return str(ward.buddy.get(f"/v1/heal/reports/{name}").json()["data"]["content"])

    ward.until(lambda: "doctor --lint: ran " in report(), "the doctor has had its say")

    assert ward.system.openclaw.token not in report()
    ward.until(lambda: not ward.incidents(), "the incident is over")
    assert report().count("doctor --lint: ran ") == 1
