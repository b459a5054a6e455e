"""A job that is cut off while its worker lives walks its way back, or says what to do."""

import asyncio
import json
from functools import partial
from pathlib import Path

import pytest

from buddy_common.schemas.plugin_jobs import InstallPluginJob, UpdatePluginsJob
from buddy_common.schemas.tasks import TaskStatus
from buddy_common.schemas.wechat import PACKAGE, PLUGIN
from buddy_common.schemas.wechat_jobs import InstallWechatJob
from buddy_worker.runner import cancel, execute, interrupt_all
from buddy_worker.usecases import cut_off
from buddy_worker.usecases.update_plugins import update_plugins
from buddy_worker.wiring import Wiring
from eventually import eventually
from fakes.openclaw_program import FakeOpenClaw
from worker.plugin_jobs import is_old, pid_of_gateway, start, there, versions
from worker.queued import queue, view
from worker.usecases.cut_off.scene import (
    NEW_VERSION,
    OLD_VERSION,
    begun,
    cut,
    folder,
    has_version,
)

pytestmark = pytest.mark.timeout(60)  # programs are started and ended


@pytest.mark.parametrize("old", [False, True])
async def test_a_cancelled_install_over_an_older_version_brings_that_back(
    w: Wiring, fake_openclaw: FakeOpenClaw, gate: Path, *, old: bool
) -> None:
    if old:
        is_old(fake_openclaw)
    before = has_version(fake_openclaw, gate)
    pid = await start(w)

    task = await cut(w, fake_openclaw, cancel, gate=gate)

    assert task.status is TaskStatus.CANCELLED
    assert await pid_of_gateway(w) == pid
    assert task.error is not None
    assert task.error.startswith("Cancelled while: installing ")
    assert cut_off.ALL_AS_BEFORE in task.error
    assert fake_openclaw.config_file.read_bytes() == before
    if old:
        assert (folder(fake_openclaw) / "index.js").read_text() == OLD_VERSION
        assert not w.host.plugin_folders.copies.exists()
    else:
        assert versions(fake_openclaw) == {PLUGIN: OLD_VERSION}
    assert await asyncio.to_thread(w.host.plugin_journal.open_note) is None


async def test_an_install_over_its_deadline_is_undone(
    w: Wiring, fake_openclaw: FakeOpenClaw, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = has_version(fake_openclaw, gate)
    monkeypatch.setattr(InstallWechatJob, "deadline_seconds", 12.0)  # the install must have begun

    task = await cut(w, fake_openclaw, lambda _: None, gate=gate)

    assert task.status is TaskStatus.TIMEOUT
    assert cut_off.ALL_AS_BEFORE in (task.error or "")
    assert fake_openclaw.config_file.read_bytes() == before
    assert versions(fake_openclaw) == {PLUGIN: OLD_VERSION}


async def test_a_cancelled_install_of_what_was_not_there_leaves_nothing(
    w: Wiring, fake_openclaw: FakeOpenClaw, gate: Path
) -> None:
    fake_openclaw.configure(install_waits_for=str(gate))
    before = fake_openclaw.config_file.read_bytes()

    task = await cut(w, fake_openclaw, cancel, gate=gate, job=InstallPluginJob(spec="voice"))

    assert cut_off.ALL_AS_BEFORE in (task.error or "")
    assert fake_openclaw.config_file.read_bytes() == before


async def test_a_cancelled_update_of_several_says_which_are_updated_for_good(
    w: Wiring, fake_openclaw: FakeOpenClaw, gate: Path
) -> None:
    there(fake_openclaw, "first", "second")
    fake_openclaw.configure(update_to={"first": "1.1", "second": "1.2"}, update_waits={"second": str(gate)})
    task_id = await queue(w, UpdatePluginsJob())
    running = asyncio.create_task(
        execute(w, task_id, UpdatePluginsJob, lambda job: update_plugins(job, only=None))
    )
    await eventually(
        partial(asyncio.to_thread, begun, fake_openclaw),
        lambda log: log.count("update begins") == 2,
        seconds=20,
    )
    cancel(task_id)
    await running

    task = await view(w, task_id)
    assert task.status is TaskStatus.CANCELLED
    assert f"first was updated from 1.0 to 1.1 before. {cut_off.ALL_AS_BEFORE}" in (task.error or "")
    assert versions(fake_openclaw) == {"first": "1.1", "second": "1.0"}


async def test_a_way_back_that_takes_too_long_ends_and_says_so(
    w: Wiring, fake_openclaw: FakeOpenClaw, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_version(fake_openclaw, gate)
    monkeypatch.setattr(cut_off, "TAKE_BACK_SECONDS", 1.5)

    def cancel_late(task_id: str) -> None:
        there(fake_openclaw, PLUGIN, version=NEW_VERSION)  # so that the old one has to be installed again
        cancel(task_id)

    task = await cut(w, fake_openclaw, cancel_late, gate=gate / "never")

    assert task.status is TaskStatus.CANCELLED
    assert "was not done after" in (task.error or "")


async def test_a_worker_that_stops_puts_the_folder_of_the_older_generation_back(
    w: Wiring, fake_openclaw: FakeOpenClaw, gate: Path
) -> None:
    is_old(fake_openclaw)
    before = has_version(fake_openclaw, gate)

    task = await cut(w, fake_openclaw, lambda _: interrupt_all(), gate=gate)

    assert task.status is TaskStatus.INTERRUPTED
    assert f"Plugin {PLUGIN} {OLD_VERSION} and what belongs to it" in (task.error or "")
    assert (folder(fake_openclaw) / "index.js").read_text() == OLD_VERSION
    assert fake_openclaw.config_file.read_bytes() == before


async def test_a_worker_that_stops_says_what_brings_a_plugin_of_the_newer_generation_back(
    w: Wiring, fake_openclaw: FakeOpenClaw, gate: Path
) -> None:
    has_version(fake_openclaw, gate)
    rows = json.loads((fake_openclaw.config_dir / "plugins.json").read_bytes())
    rows[0]["trust"]["installSpec"] = PACKAGE
    (fake_openclaw.config_dir / "plugins.json").write_text(json.dumps(rows))

    task = await cut(w, fake_openclaw, lambda _: interrupt_all(), gate=gate)

    assert task.status is TaskStatus.INTERRUPTED
    assert f"with {PACKAGE}@{OLD_VERSION} brings it back" in (task.error or "")
    assert "openclaw.json is as it was before" in (task.error or "")


# what a kill leaves: nobody walks any way back, the next worker finds the note
