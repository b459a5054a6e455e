"""A change on a disk that is really full: the old config stays to the byte, the job says why."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from buddy_common.schemas.plugin_jobs import SetPluginJob
from buddy_common.schemas.tasks import TaskView
from buddy_worker.usecases.change_config import change_config
from buddy_worker.wiring import Wiring
from fakes.openclaw_program import FakeOpenClaw
from faults.small_disk import SmallDisk
from worker.plugin_jobs import failed, run

DISK_MEGABYTES = 1


def edit(config: dict[str, Any]) -> None:
    config["logging"] = {"level": "debug"}


async def change(w: Wiring) -> TaskView:
    try:
        return await run(
            w,
            SetPluginJob(id="voice", enabled=True),
            lambda running: change_config(running, edit, base_hash=None),
        )
    finally:
        await w.redis.aclose()
        w.database.engine.dispose()


def change_on_full_disk(w: Wiring, fake: FakeOpenClaw, full: Path) -> tuple[TaskView, bytes, bytes, set[str]]:
    """Do it in a thread that sees a disk of its own; return task, file before and after, all names."""
    disk = SmallDisk(full, DISK_MEGABYTES)
    try:
        if disk.refusal is not None:
            pytest.skip(disk.refusal)
        fake.configure()
        before = fake.config_file.read_bytes()
        disk.fill()
        task = asyncio.run(change(w))
        names = {path.name for path in fake.config_dir.iterdir()}
        return task, before, fake.config_file.read_bytes(), names
    finally:
        disk.close(for_good=True)


@pytest.mark.parametrize("place", ["the config", "the history"])
def test_a_change_on_a_full_disk_leaves_the_old_config_and_fails_with_the_reason(
    place: str, unused_wiring: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    w = unused_wiring
    full = fake_openclaw.config_dir if place == "the config" else w.config.home.node_state
    with ThreadPoolExecutor(1) as thread:
        task, before, after, names = thread.submit(change_on_full_disk, w, fake_openclaw, full).result()

    assert "No space left on device" in failed(task, "state_unwritable")
    assert after == before
    assert names <= {"openclaw.json", "filler"}  # nothing half written beside it
