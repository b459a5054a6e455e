"""The way back from a change of the config: a copy of how it was, and a gateway that runs on it again."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from buddy_common.adapters.config_files import ConfigFiles, ConfigState
from buddy_common.adapters.finishing import to_its_end
from buddy_common.config_diff import KeyChange, changes_between, value_at
from buddy_common.errors import (
    BuddyError,
    ConfigUndoneError,
    GatewayConfigError,
    IncludeUnsupportedError,
    StateUnwritableError,
)
from buddy_common.schemas.backups import BackupReason
from buddy_common.settings import GatewaySettings
from buddy_common.usecases.follow_startup import Patience
from buddy_common.usecases.restart_gateway import restart_gateway
from buddy_common.usecases.start_gateway import start_gateway
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.patch_config import OPENCLAWS_OWN
from buddy_worker.usecases.witness import Witness, look_before

PutBack = Callable[[], Awaitable[object]]


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


async def undo_change(
    job: RunningJob[AnyJob],
    why: str,
    *,
    before: ConfigState,
    changes: Sequence[KeyChange] = (),
    backup: str | None,
    witness: Witness,
    put_back: PutBack | None = None,
) -> ConfigUndoneError:
    """Put the config back and have the gateway come up on it; return what to tell.

    `changes`: what we have changed, where that is known; `put_back` undoes what else was changed, before
    the config is written.

    Raises:
        StateUnwritableError: the config cannot be written.
    """
    await job.stage("undoing the change", 85)
    await job.line(f"The gateway does not take the change: {why}")
    trouble = "" if put_back is None else await _trouble_with(put_back)
    await put_config_back(job, before=before, changes=changes)
    down = await _bring_back(job, witness)
    text = f"The gateway could not live with this change, so it was undone: {why}"
    return ConfigUndoneError(
        " ".join(part for part in (text, trouble, down) if part),
        reason=why,
        backup=backup,
        gatewayUp=not down,
    )


async def put_config_back(
    job: RunningJob[AnyJob], *, before: ConfigState, changes: Sequence[KeyChange]
) -> None:
    """Write the previous bytes, or only our keys as they were, where somebody else has written since.

    What is there now is kept before, if there is room for it.

    Raises:
        StateUnwritableError: the config cannot be written.
    """
    host = job.host

    def put_back() -> None:
        try:
            now = host.config_files.read()
        except GatewayConfigError:
            host.config_files.write(before.files)
            return
        with suppress(StateUnwritableError):
            host.history.add(
                now.files[now.root], now.parts, reason=BackupReason.BEFORE_CHANGE, task_id=job.task_id
            )
        host.config_files.write(_as_before(host.config_files, before, now, changes))

    await to_its_end(asyncio.to_thread(put_back))


def patience_of(settings: GatewaySettings) -> Patience:
    """Return how long a gateway may take to come up after a change."""
    usual = Patience.of(settings)
    # a restart lets running chats end first
    return replace(usual, ceiling_seconds=usual.ceiling_seconds + usual.drain_seconds)


def is_cancelled() -> bool:
    """Whether what runs is cut off, and must leave its note to whoever looks next."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _as_before(
    files: ConfigFiles, before: ConfigState, now: ConfigState, changes: Sequence[KeyChange]
) -> Mapping[Path, bytes]:
    """Return what to write so that our changes are gone, and those of others are not."""
    ours = {change.path for change in changes}
    theirs = [
        change
        for change in changes_between(before.config, now.config)
        if change.path not in ours and change.path[0] not in OPENCLAWS_OWN
    ]
    if changes and theirs:
        back = [KeyChange(change.path, value_at(now.config, change.path), change.old) for change in changes]
        with suppress(IncludeUnsupportedError, GatewayConfigError):
            return files.edited(now, back)
    return {path: content for path, content in before.files.items() if now.files.get(path) != content}


async def _trouble_with(put_back: PutBack) -> str:
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
