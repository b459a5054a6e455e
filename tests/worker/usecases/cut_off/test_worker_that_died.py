"""What a killed worker left of a change of a plugin, the next one puts back."""

import asyncio
import json
import threading
from pathlib import Path

import pytest

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.errors import StateUnwritableError
from buddy_common.schemas.wechat import PACKAGE, PLUGIN
from buddy_worker.usecases.list_plugins import ListedPlugin
from buddy_worker.usecases.plugin_before import plugin_before
from buddy_worker.usecases.settle_change import settle_broken_change, settle_if_free
from fakes.openclaw_program import FakeOpenClaw
from worker.plugin_jobs import is_old
from worker.usecases.cut_off.scene import (
    OLD_VERSION,
    begin,
    config,
    folder,
    has_version,
    left,
)
from worker.usecases.scene import RecordingJob

pytestmark = pytest.mark.timeout(60)  # programs are started and ended


async def test_after_a_kill_the_next_worker_puts_the_plugin_back(
    host: HostPlane, job: RecordingJob, fake_openclaw: FakeOpenClaw, gate: Path
) -> None:
    before = await begin(host, job, fake_openclaw, gate)
    told = await left(host)
    assert told is not None
    assert "the next change of the config puts it back" in told

    await asyncio.to_thread(settle_if_free, host)

    assert (folder(fake_openclaw) / "index.js").read_text() == OLD_VERSION
    assert fake_openclaw.config_file.read_bytes() == before
    told = str(await left(host))
    assert told.startswith(
        f"Plugin {PLUGIN} {OLD_VERSION} and what belongs to it in openclaw.json are as before."
    )
    assert not host.plugin_folders.copies.exists()


async def test_after_a_kill_what_somebody_else_did_to_plugins_meanwhile_is_in_the_backup_that_is_named(
    host: HostPlane, job: RecordingJob, fake_openclaw: FakeOpenClaw, gate: Path
) -> None:
    await begin(host, job, fake_openclaw, gate)
    theirs = json.dumps(config(fake_openclaw) | {"channels": {"telegram": {"enabled": True}}}).encode()
    await asyncio.to_thread(fake_openclaw.config_file.write_bytes, theirs)

    await asyncio.to_thread(settle_if_free, host)

    name = str(await left(host)).rpartition("is the backup ")[2].removesuffix(".")
    _, contents = await asyncio.to_thread(host.history.get, name)
    assert theirs in contents.values()


async def test_a_job_that_is_cut_off_before_it_changes_anything_leaves_nothing_to_put_back(
    host: HostPlane,
    job: RecordingJob,
    fake_openclaw: FakeOpenClaw,
    gate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_old(fake_openclaw)
    await asyncio.to_thread(has_version, fake_openclaw, gate)
    row = ListedPlugin(PLUGIN, OLD_VERSION, enabled=True, bundled=False, package=PACKAGE)
    begun, may_go_on, keep = threading.Event(), threading.Event(), host.plugin_folders.keep

    def keep_slowly(name: str) -> None:
        begun.set()
        may_go_on.wait(30)
        keep(name)

    monkeypatch.setattr(host.plugin_folders, "keep", keep_slowly)
    keeping = asyncio.create_task(plugin_before(job.as_job(), {PLUGIN: row}, plugin=PLUGIN, package=None))
    await asyncio.to_thread(begun.wait, 30)
    keeping.cancel()
    may_go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await keeping

    assert await asyncio.to_thread(host.plugin_journal.open_note) is None
    assert not host.plugin_folders.copies.exists()


async def test_after_a_kill_an_edit_of_somebody_else_stays(
    host: HostPlane, job: RecordingJob, fake_openclaw: FakeOpenClaw, gate: Path
) -> None:
    before = json.loads(await begin(host, job, fake_openclaw, gate))
    theirs = {"logging": {"level": "debug"}}
    fake_openclaw.config_file.write_text(json.dumps(config(fake_openclaw) | theirs))

    await asyncio.to_thread(settle_broken_change, host)

    assert config(fake_openclaw) == before | theirs


async def test_after_a_kill_a_backup_that_is_gone_does_not_stand_in_the_way_of_the_plugin(
    host: HostPlane, job: RecordingJob, fake_openclaw: FakeOpenClaw, gate: Path
) -> None:
    await begin(host, job, fake_openclaw, gate)
    now = fake_openclaw.config_file.read_bytes()
    for record in await asyncio.to_thread(lambda: list(host.home.rglob("*/records/*.json"))):
        record.unlink()

    await asyncio.to_thread(settle_if_free, host)

    assert (folder(fake_openclaw) / "index.js").read_text() == OLD_VERSION
    assert fake_openclaw.config_file.read_bytes() == now
    assert str(await left(host)).startswith(f"Plugin {PLUGIN} {OLD_VERSION} is as before.")
    assert await asyncio.to_thread(host.plugin_journal.open_note) is None


async def test_a_task_that_goes_on_is_not_undone(
    host: HostPlane, job: RecordingJob, fake_openclaw: FakeOpenClaw, gate: Path
) -> None:
    await begin(host, job, fake_openclaw, gate)

    await asyncio.to_thread(settle_broken_change, host, but="task-1")

    assert not folder(fake_openclaw).exists()
    assert await asyncio.to_thread(host.plugin_journal.open_note) is not None


async def test_the_only_good_copy_outlives_the_next_install(
    host: HostPlane, job: RecordingJob, fake_openclaw: FakeOpenClaw, gate: Path
) -> None:
    before = await begin(host, job, fake_openclaw, gate)
    extensions = host.plugin_folders.extensions
    extensions.rmdir()
    extensions.write_text("in the way")

    await asyncio.to_thread(settle_if_free, host)
    told = await left(host)
    with pytest.raises(StateUnwritableError, match="nothing was done"):
        await plugin_before(RecordingJob(host, "task-2").as_job(), {}, plugin=PLUGIN, package=None)

    assert "could not be put back" in (told or "")
    assert str(host.plugin_folders.copies) in (told or "")
    assert (host.plugin_folders.copies / PLUGIN / "index.js").read_text() == OLD_VERSION

    extensions.unlink()
    await plugin_before(RecordingJob(host, "task-2").as_job(), {}, plugin=PLUGIN, package=None)

    assert (folder(fake_openclaw) / "index.js").read_text() == OLD_VERSION
    assert fake_openclaw.config_file.read_bytes() == before


# a command that fails, and somebody who edits the config meanwhile
