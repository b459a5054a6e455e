"""Jobs about plugins, run on the fake program and looked at as clients look at them."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel

from buddy_common.schemas.job import Job
from buddy_common.schemas.plugin_jobs import (
    InstallPluginJob,
    ReloadPluginsJob,
    UninstallPluginJob,
    UpdatePluginsJob,
)
from buddy_common.schemas.tasks import TaskStatus, TaskView
from buddy_common.usecases.follow_startup import Patience
from buddy_common.usecases.start_gateway import start_gateway
from buddy_worker.jobs import RunningJob
from buddy_worker.runner import execute
from buddy_worker.usecases.install_plugin import install_plugin
from buddy_worker.usecases.reload_plugins import reload_plugins
from buddy_worker.usecases.uninstall_plugin import uninstall_plugin
from buddy_worker.usecases.update_plugins import update_plugins
from buddy_worker.wiring import Wiring
from fakes.openclaw_program import FakeOpenClaw
from fakes.progress import RecordingProgress
from worker.queued import queue, view


async def start(w: Wiring) -> int:
    """Start the gateway; return its pid."""
    started = await start_gateway(
        w.host.gateway, w.host.state, progress=RecordingProgress(), patience=Patience(8, 8)
    )
    return started.pid


async def pid_of_gateway(w: Wiring) -> int | None:
    listener = await w.host.gateway.listener()
    return None if listener is None else listener.pid


async def run(w: Wiring, job: Job, handler: Callable[[RunningJob[Any]], Awaitable[BaseModel]]) -> TaskView:
    task_id = await queue(w, job)
    await execute(w, task_id, type(job), handler)
    return await view(w, task_id)


async def install(w: Wiring, spec: str, *, force: bool = False) -> TaskView:
    job = InstallPluginJob(spec=spec, force=force)
    return await run(w, job, lambda running: install_plugin(running, spec=spec, force=force))


async def uninstall(w: Wiring, plugin: str) -> TaskView:
    return await run(
        w, UninstallPluginJob(id=plugin), lambda running: uninstall_plugin(running, plugin=plugin)
    )


async def update(w: Wiring, plugin: str | None = None) -> TaskView:
    return await run(w, UpdatePluginsJob(id=plugin), lambda running: update_plugins(running, only=plugin))


async def reload(w: Wiring, plugin: str | None = None) -> TaskView:
    return await run(w, ReloadPluginsJob(id=plugin), lambda running: reload_plugins(running, only=plugin))


def there(fake: FakeOpenClaw, *plugins: str, bundled: bool = False, version: str = "1.0") -> None:
    """Have these plugins, each of this version."""
    rows = [
        {
            "id": plugin,
            "origin": "bundled" if bundled else "global",
            "version": version,
            "enabled": True,
            "trust": {"installSource": "npm", "installSpec": plugin},
        }
        for plugin in plugins
    ]
    whole = fake.config_dir / "plugins.json.whole"  # a gateway reads it all the time
    whole.write_text(json.dumps(rows))
    whole.replace(fake.config_dir / "plugins.json")


def versions(fake: FakeOpenClaw) -> dict[str, str]:
    rows = json.loads((fake.config_dir / "plugins.json").read_bytes())
    return {row["id"]: row["version"] for row in rows}


def is_old(fake: FakeOpenClaw) -> None:
    """Be of the older generation."""
    fake.program.with_name("version").write_text("2026.3.28")


def done(task: TaskView) -> dict[str, Any]:
    assert task.status is TaskStatus.COMPLETED, task.error
    assert task.result is not None
    return task.result


def failed(task: TaskView, error: str) -> str:
    assert (task.status, task.errorCode) == (TaskStatus.FAILED, error), task
    assert task.error is not None
    return task.error
