"""Let OpenClaw's own command change its config and its plugins, so that the gateway cannot be lost by it.

What it writes is not ours to plan: a copy of before is kept, and the gateway must live with what came of it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from buddy_common.adapters.config_files import ConfigState
from buddy_common.adapters.finishing import to_its_end
from buddy_common.errors import BuddyError, ConfigUndoneError, IncludeUnsupportedError
from buddy_common.ports import Progress
from buddy_common.schemas.gateway import Desired
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.confirm_change import NOT_TAKEN, Applied, confirm_change, reason_of
from buddy_worker.usecases.cut_off import walk_back_cut_off
from buddy_worker.usecases.gateway_turn import GATEWAY_TURN_SECONDS, hold_gateway
from buddy_worker.usecases.known_things import is_new_openclaw
from buddy_worker.usecases.plugin_before import PluginBefore
from buddy_worker.usecases.settle_change import settle_broken_change
from buddy_worker.usecases.way_back import Undone, keep_copy, patience_of, take_back, undo_change
from buddy_worker.usecases.witness import Witness, look_before, look_when_settled

Value = TypeVar("Value")


async def guarded_command(
    job: RunningJob[AnyJob],
    command: Callable[[], Awaitable[Value]],
    *,
    plugin: PluginBefore,
    progress: Progress,
) -> tuple[Value, Applied]:
    """Run `command`, and see the gateway through it; return what came of both.

    `plugin` is what it changes besides the config.

    Cut off, it walks the same way back before it ends, within a bound.

    Raises:
        BuddyError: the command failed; what it had changed by then is undone.
        GatewayConfigError: the config cannot be read; nothing was done.
        IncludeUnsupportedError: the older OpenClaw would write one file of several; nothing was done.
        ConfigUndoneError: the gateway could not live with it; all is as before.
        StateUnwritableError: the disk is full; nothing was done.
        GatewayBusyError: it works and answers nothing; nothing was done.
    """
    host = job.host
    await progress.stage("keeping a copy", 10)
    await asyncio.to_thread(settle_broken_change, host, but=job.task_id)
    before = await asyncio.to_thread(host.config_files.read)
    if before.has_includes and not await is_new_openclaw(host):
        raise IncludeUnsupportedError(
            "This OpenClaw would write all that `$include` puts together into openclaw.json itself, so"
            " nothing was done. Put the config into one file, or use a newer OpenClaw."
        )
    witness = await look_when_settled(
        host.gateway, host.state, progress=progress, patience=patience_of(host.gateway_settings)
    )
    backup = await keep_copy(job, before)
    try:
        return await _Guard(job, before, backup, witness, plugin, progress).run(command)
    except asyncio.CancelledError:
        await to_its_end(walk_back_cut_off(job, before=before, witness=witness, plugin=plugin))
        raise
    finally:
        await to_its_end(asyncio.to_thread(settle_broken_change, host, but=job.task_id))


@dataclass(frozen=True)
class _Guard:
    job: RunningJob[Any]
    before: ConfigState
    backup: str
    witness: Witness
    plugin: PluginBefore
    progress: Progress

    async def run(self, command: Callable[[], Awaitable[Value]]) -> tuple[Value, Applied]:
        await self.progress.stage("running the command", 20)
        try:
            value = await command()
        except BuddyError:
            await self._confirm_or_clean_up()  # a gateway that it has brought down is the better reason
            await self._clean_up()
            raise
        return value, await self._confirm_or_clean_up()

    async def _confirm_or_clean_up(self) -> Applied:
        """See whether the gateway lives with it; what nobody can see is not left there."""
        try:
            return await self._confirm()
        except ConfigUndoneError:
            raise
        except BuddyError:
            await self._clean_up()
            raise

    async def _confirm(self) -> Applied:
        """See whether the gateway lives with it; nobody restarts it meanwhile."""
        async with hold_gateway(self.job.host, seconds=GATEWAY_TURN_SECONDS):
            return await self._confirm_alone()

    async def _confirm_alone(self) -> Applied:
        host = self.job.host
        now = await look_before(host.gateway, host.state)
        if now.process is not None and now.process != self.witness.process:
            return Applied.RESTARTED  # by somebody else, and it came up
        if now.process is None and await host.state.desired() is Desired.STOPPED:
            return Applied.AT_NEXT_START
        # without a change of the config, the command has told the gateway itself, and waited for it
        untouched = await asyncio.to_thread(self.job.host.config_files.is_still, self.before)
        try:
            return await confirm_change(
                self.witness,
                acknowledged=untouched,
                restarts=False,
                progress=self.progress,
                patience=patience_of(self.job.host.gateway_settings),
            )
        except NOT_TAKEN as exc:
            raise await to_its_end(
                undo_change(
                    self.job,
                    reason_of(exc),
                    before=self.before,
                    backup=self.backup,
                    witness=self.witness,
                    plugin=self.plugin,
                )
            ) from exc

    async def _clean_up(self) -> None:
        """Undo what a command has done before it failed."""
        try:
            undone = await take_back(self.job, before=self.before, witness=None, plugin=self.plugin)
        except BuddyError as exc:  # why the command failed is what there is to tell
            undone = Undone(f"Not all of it could be undone: {exc.message}")
        if undone.trouble:
            await self.job.line(undone.trouble)
