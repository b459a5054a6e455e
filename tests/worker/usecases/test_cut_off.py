"""A job that is cut off while a plugin is half changed leaves the plugin of before, or says what to do."""

import asyncio
import json
import shutil
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.errors import StateUnwritableError
from buddy_common.schemas.job import Job
from buddy_common.schemas.plugin_jobs import InstallPluginJob, UpdatePluginsJob
from buddy_common.schemas.tasks import TaskStatus, TaskView
from buddy_common.schemas.wechat import PACKAGE, PLUGIN
from buddy_common.schemas.wechat_jobs import InstallWechatJob
from buddy_worker.jobs import RunningJob
from buddy_worker.runner import cancel, execute, interrupt_all
from buddy_worker.usecases import cut_off
from buddy_worker.usecases.install_plugin import install_plugin
from buddy_worker.usecases.install_wechat import install_wechat
from buddy_worker.usecases.list_plugins import ListedPlugin
from buddy_worker.usecases.plugin_before import plugin_before
from buddy_worker.usecases.settle_change import settle_broken_change, settle_if_free, what_is_there
from buddy_worker.usecases.update_plugins import update_plugins
from buddy_worker.wiring import Wiring
from eventually import eventually
from fakes.openclaw_program import FakeOpenClaw
from worker.plugin_jobs import failed, install, is_old, pid_of_gateway, start, there, versions
from worker.queued import queue, view
from worker.usecases.scene import RecordingJob

pytestmark = pytest.mark.timeout(60)  # programs are started and ended

OLD_VERSION = "2.4.6"
ENTRIES = {"plugins": {"entries": {PLUGIN: {"enabled": True}}}, "channels": {PLUGIN: {"botAgent": "x"}}}


def config(fake: FakeOpenClaw) -> Any:
    return json.loads(fake.config_file.read_bytes())


def folder(fake: FakeOpenClaw) -> Path:
    return fake.config_dir / "extensions" / PLUGIN


def has_version(fake: FakeOpenClaw, gate: Path, **steers: Any) -> bytes:
    """Have an older version of the plugin, and an install that waits for `gate`; return the config."""
    there(fake, PLUGIN, version=OLD_VERSION)
    folder(fake).mkdir(parents=True)
    (folder(fake) / "index.js").write_text(OLD_VERSION)
    fake.configure(install_waits_for=str(gate), **steers)
    fake.config_file.write_text(json.dumps(config(fake) | ENTRIES))
    return fake.config_file.read_bytes()


async def cut(
    w: Wiring, fake: FakeOpenClaw, how: Callable[[str], None], *, gate: Path, job: Job | None = None
) -> TaskView:
    """Cut the job off once the old version is removed and the new one is being installed."""
    asked = job or InstallWechatJob()
    handler: Callable[[RunningJob[Any]], Awaitable[Any]] = install_wechat
    if isinstance(asked, InstallPluginJob):
        spec = asked.spec

        async def handler(running: RunningJob[Any]) -> Any:
            return await install_plugin(running, spec=spec, force=True)

    task_id = await queue(w, asked)
    running = asyncio.create_task(execute(w, task_id, type(asked), handler))
    await eventually(partial(asyncio.to_thread, begun, fake), lambda log: "install begins" in log, seconds=20)
    how(task_id)
    # what is installed again must not wait; what is cut off has been ended by then
    undoing = asyncio.create_task(open_gate_once_undoing(w, task_id, gate))
    await running
    undoing.cancel()
    return await view(w, task_id)


def begun(fake: FakeOpenClaw) -> list[str]:
    return [what for what, *_ in fake.process_log]


async def open_gate_once_undoing(w: Wiring, task_id: str, gate: Path) -> None:
    await eventually(lambda: view(w, task_id), lambda task: task.stage == "undoing what was done", seconds=20)
    await asyncio.to_thread(gate.touch)


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    return tmp_path / "gate"


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
    monkeypatch.setattr(InstallWechatJob, "deadline_seconds", 5.0)

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

    task = await cut(w, fake_openclaw, cancel, gate=gate / "never")

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
    assert "openclaw.json holds the change" in (task.error or "")


# what a kill leaves: nobody walks any way back, the next worker finds the note


async def begin(host: HostPlane, job: RecordingJob, fake: FakeOpenClaw, gate: Path) -> bytes:
    """Be killed after the old version of a plugin was removed."""
    is_old(fake)
    before = await asyncio.to_thread(has_version, fake, gate)
    row = ListedPlugin(PLUGIN, OLD_VERSION, enabled=True, bundled=False, package=PACKAGE)
    await plugin_before(job.as_job(), {PLUGIN: row}, plugin=PLUGIN, package=None)
    await asyncio.to_thread(shutil.rmtree, folder(fake))
    gone = {key: value for key, value in config(fake).items() if key not in ENTRIES}
    await asyncio.to_thread(fake.config_file.write_text, json.dumps(gone))
    return before


async def left(host: HostPlane) -> str | None:
    return await asyncio.to_thread(what_is_there, host, "task-1", InstallWechatJob)


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


async def test_an_edit_by_hand_outlives_a_command_that_fails(
    w: Wiring, fake_openclaw: FakeOpenClaw, gate: Path
) -> None:
    fake_openclaw.configure(install_breaks_after=str(gate))
    before = config(fake_openclaw)
    running = asyncio.create_task(install(w, "voice"))
    await eventually(partial(asyncio.to_thread, config, fake_openclaw), lambda now: "plugins" in now)
    theirs = {"logging": {"level": "debug"}}
    fake_openclaw.config_file.write_text(json.dumps(config(fake_openclaw) | theirs))
    await asyncio.to_thread(gate.touch)

    task = await running

    failed(task, "openclaw_cli_failed")
    assert config(fake_openclaw) == before | theirs
    task = await view(w, task.id)
    assert "Somebody else has changed logging meanwhile: that stays." in task.output
    (newest, *_) = await asyncio.to_thread(w.host.history.listing)
    _, contents = await asyncio.to_thread(w.host.history.get, newest.name)
    assert b"debug" in contents["openclaw.json"]


async def test_what_a_command_that_fails_has_changed_is_as_before_to_the_byte(
    w: Wiring, fake_openclaw: FakeOpenClaw, gate: Path
) -> None:
    fake_openclaw.configure(install_breaks_after=str(gate))
    before = fake_openclaw.config_file.read_bytes()
    await asyncio.to_thread(gate.touch)

    failed(await install(w, "voice"), "openclaw_cli_failed")

    assert fake_openclaw.config_file.read_bytes() == before
    assert versions(fake_openclaw) == {}


async def test_a_plugin_that_ends_the_gateway_only_once_it_is_on_is_gone_again(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.configure(deadly=["6.6"])
    off = config(fake_openclaw) | {"plugins": {"entries": {"voice": {"enabled": False}}}}
    fake_openclaw.config_file.write_text(json.dumps(off))
    before = fake_openclaw.config_file.read_bytes()
    pid = await start(w)

    task = await install(w, "voice@6.6")

    assert "voice 6.6 is broken" in failed(task, "config_undone")
    assert versions(fake_openclaw) == {}
    assert fake_openclaw.config_file.read_bytes() == before
    assert await pid_of_gateway(w) not in {None, pid}
