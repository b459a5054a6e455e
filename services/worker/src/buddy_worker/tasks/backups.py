"""Backups of `openclaw.json` as jobs."""

import asyncio
from contextlib import suppress
from functools import partial

from pydantic import BaseModel

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.config_diff import shown_changes
from buddy_common.errors import BuddyError
from buddy_common.schemas.backup_jobs import MakeBackupJob, RestoreBackupJob
from buddy_common.usecases.follow_startup import Patience
from buddy_common.usecases.validate_config import validate_files
from buddy_worker.audited import Made, made_of
from buddy_worker.jobs import RunningJob
from buddy_worker.tasks.registry import handles
from buddy_worker.usecases.make_backup import make_backup
from buddy_worker.usecases.restore_backup import BackupRestored, Restore
from buddy_worker.usecases.settle_change import settle_broken_change


@handles(MakeBackupJob)
async def _make(job: RunningJob[MakeBackupJob]) -> BaseModel:
    host = job.host
    await asyncio.to_thread(settle_broken_change, host)
    return await asyncio.to_thread(make_backup, host.live_config, host.history, task_id=job.task_id)


@handles(RestoreBackupJob)
async def _restore(job: RunningJob[RestoreBackupJob]) -> BaseModel:
    host, settings = job.host, job.host.gateway_settings
    restore = Restore(
        host.gateway,
        host.state,
        files=host.live_config,
        history=host.history,
        progress=job,
        patience=Patience.of(settings),
        check=partial(validate_files, host, job),
        lock_descriptors=job.lock_descriptors,
    )
    await asyncio.to_thread(settle_broken_change, host)
    restored = await restore.run(job.payload.name, task_id=job.task_id, again=job.attempt > 1)
    return restored.model_copy(update={"made": await asyncio.to_thread(_made, host, restored)})


def _made(host: HostPlane, restored: BackupRestored) -> list[Made]:
    """Return which backup took the place of which, and the keys that differ, as far as both can be read."""
    rows = [Made("openclaw.json", restored.previous, restored.name)]
    if restored.previous is not None:
        with suppress(BuddyError):  # one of them may be broken
            before, after = (
                host.config_files.effective(host.history.get(name)[1])
                for name in (restored.previous, restored.name)
            )
            rows += made_of(shown_changes(before, after))
    return rows
