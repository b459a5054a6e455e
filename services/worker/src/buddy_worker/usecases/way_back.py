"""The way back from a change of the config: a copy of how it was, and a gateway that runs on it again."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from buddy_common.adapters.config_files import ConfigState
from buddy_common.adapters.finishing import to_its_end
from buddy_common.config_diff import KeyChange
from buddy_common.errors import (
    BuddyError,
    ConfigUndoneError,
    GatewayConfigError,
    StateUnwritableError,
)
from buddy_common.schemas.backups import ROOT, BackupReason
from buddy_common.settings import GatewaySettings
from buddy_common.usecases.follow_startup import Patience
from buddy_common.usecases.restart_gateway import restart_gateway
from buddy_common.usecases.start_gateway import start_gateway
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.as_before import AsBefore, Changes, as_before
from buddy_worker.usecases.plugin_before import PluginBefore
from buddy_worker.usecases.witness import Witness, look_before


async def keep_copy(
    job: RunningJob[AnyJob], state: ConfigState, *, written: Iterable[Path] | None = None
) -> str:
    """Keep a copy of what is there and note what is about to be written; return the copy's name.

    `written`: the files that we write; without, somebody else writes those that the change concerns.

    Raises:
        StateUnwritableError: the disk is full; nothing must be written then.
    """
    host = job.host
    touched = {path: state.files[path] for path in (state.files if written is None else written)}

    def keep() -> str:
        backup = host.history.add(
            state.files[state.root], state.parts, reason=BackupReason.BEFORE_CHANGE, task_id=job.task_id
        )
        host.journal.begin(job.task_id, backup=backup.name, files=touched, writes_all=written is not None)
        return backup.name

    return await to_its_end(asyncio.to_thread(keep))


@dataclass(frozen=True)
class Undone:
    """What did not come back: of the files, and of the gateway; both are empty where all is as before."""

    missing: str = ""
    down: str = ""

    @property
    def trouble(self) -> str:
        """Both, for people."""
        return " ".join(part for part in (self.missing, self.down) if part)


async def undo_change(
    job: RunningJob[AnyJob],
    why: str,
    *,
    before: ConfigState,
    changes: Sequence[KeyChange] = (),
    backup: str | None,
    witness: Witness,
    plugin: PluginBefore | None = None,
) -> ConfigUndoneError:
    """Put the config back and have the gateway come up on it; return what to tell.

    `changes`: what we have changed. `plugin`: what OpenClaw's own command has changed instead; it is put
    back before the config is written, and of that only what belongs to it.

    Raises:
        StateUnwritableError: the config cannot be written.
    """
    await job.stage("undoing the change", 85)
    await job.line(f"The gateway does not take the change: {why}")
    undone = await take_back(job, before=before, changes=changes, witness=witness, plugin=plugin)
    text = f"The gateway could not live with this change, so it was undone: {why}"
    return ConfigUndoneError(
        " ".join(part for part in (text, undone.trouble) if part),
        reason=why,
        backup=backup,
        gatewayUp=not undone.down,
    )


async def take_back(
    job: RunningJob[AnyJob],
    *,
    before: ConfigState,
    changes: Sequence[KeyChange] = (),
    witness: Witness | None,
    plugin: PluginBefore | None = None,
) -> Undone:
    """Do the same without telling why; without a witness the gateway is left alone.

    Raises:
        StateUnwritableError: the config cannot be written.
    """
    missing = "" if plugin is None else await _trouble_with(plugin.put_back)
    await put_config_back(job, before=before, changes=changes if plugin is None else plugin.keys())
    return Undone(missing, "" if witness is None else await _bring_back(job, witness))


async def put_config_back(job: RunningJob[AnyJob], *, before: ConfigState, changes: Changes) -> None:
    """Write the previous bytes, or only our keys as they were, where somebody else has written since.

    What is there now is kept before, if there is room for it; what is put back is told, and what others
    have changed.

    Raises:
        StateUnwritableError: the config cannot be written.
    """
    for line in await to_its_end(asyncio.to_thread(_put_config_back, job, before, changes)):
        await job.line(line)


def _put_config_back(job: RunningJob[AnyJob], before: ConfigState, changes: Changes) -> list[str]:
    files = job.host.config_files
    try:
        now = files.read()
    except GatewayConfigError as exc:
        kept = _keep_unreadable(job)
        files.write(before.files)
        return [f"{exc.message} The previous one is back; what was there is {kept}."]
    back = as_before(files, before, now, changes)
    if not back.files:
        return _told(back, "")
    kept = _keep_now(job, now.files[now.root], now.parts)
    files.write(back.files)
    return _told(back, kept)


def _told(back: AsBefore, kept: str) -> list[str]:
    told = []
    if back.ours and back.files:
        told.append(f"As before in openclaw.json: {', '.join(back.ours)}. What was there is {kept}.")
    if back.theirs:
        what = f"Somebody else has changed {', '.join(back.theirs)} meanwhile"
        then = "that stays" if back.theirs_stay else f"that is gone again, and {kept}"
        told.append(f"{what}: {then}.")
    return told


def _keep_unreadable(job: RunningJob[AnyJob]) -> str:
    try:
        live = job.host.live_config.read()
        return _keep_now(job, live[ROOT], {name: part for name, part in live.items() if name != ROOT})
    except (BuddyError, KeyError):
        return "not kept"


def _keep_now(job: RunningJob[AnyJob], root: bytes, parts: Mapping[str, bytes]) -> str:
    with suppress(StateUnwritableError):
        made = job.host.history.add(root, parts, reason=BackupReason.BEFORE_CHANGE, task_id=job.task_id)
        return f"in the backup {made.name}"
    return "not kept: the disk is full"


def patience_of(settings: GatewaySettings) -> Patience:
    """Return how long a gateway may take to come up after a change."""
    usual = Patience.of(settings)
    # a restart lets running chats end first
    return replace(usual, ceiling_seconds=usual.ceiling_seconds + usual.drain_seconds)


def is_cancelled() -> bool:
    """Whether what runs is cut off, and must leave its note to whoever looks next."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _trouble_with(put_back: Callable[[], Awaitable[object]]) -> str:
    try:
        await put_back()
    except BuddyError as exc:
        return f"Not all of it could be undone: {exc.message}"
    return ""


async def _bring_back(job: RunningJob[AnyJob], witness: Witness) -> str:
    """Have the gateway run on the previous config; return what went wrong with that."""
    host = job.host
    common: dict[str, Any] = {
        "progress": job,
        "patience": patience_of(host.gateway_settings),
        "lock_descriptors": job.lock_descriptors,
    }
    try:
        now = await look_before(host.gateway, host.state)
        if now.process is not None:  # it has never let go of the old config
            return ""
        if witness.process and await host.gateway.poll_exit(witness.process) is None:
            await restart_gateway(
                host.gateway,
                host.state,
                drain_seconds=host.gateway_settings.drain_seconds,
                force=True,
                **common,
            )
        else:
            await start_gateway(host.gateway, host.state, environment=witness.environment, **common)
    except BuddyError as exc:
        return f"The gateway did not come up on the old config either: {exc.message}"
    return ""
