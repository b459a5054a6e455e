"""A plugin that is half changed, and what a job that is cut off in the middle leaves."""

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.schemas.job import Job
from buddy_common.schemas.plugin_jobs import InstallPluginJob
from buddy_common.schemas.tasks import TaskView
from buddy_common.schemas.wechat import PACKAGE, PLUGIN
from buddy_common.schemas.wechat_jobs import InstallWechatJob
from buddy_worker.jobs import RunningJob
from buddy_worker.runner import execute
from buddy_worker.usecases.install_plugin import install_plugin
from buddy_worker.usecases.install_wechat import install_wechat
from buddy_worker.usecases.list_plugins import ListedPlugin
from buddy_worker.usecases.plugin_before import plugin_before
from buddy_worker.usecases.settle_change import what_is_there
from buddy_worker.wiring import Wiring
from eventually import eventually
from fakes.openclaw_program import FakeOpenClaw
from worker.plugin_jobs import is_old, there
from worker.queued import queue, view
from worker.usecases.scene import RecordingJob

OLD_VERSION, NEW_VERSION = "2.4.6", "2.4.9"
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
    """Cut the job off once the new version is being installed."""
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
