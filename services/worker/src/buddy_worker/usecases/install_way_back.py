"""The way back from a plugin that was installed, but that the gateway cannot live with once it is on."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from buddy_common.adapters.config_files import ConfigState
from buddy_common.adapters.finishing import to_its_end
from buddy_common.adapters.openclaw_config import Config
from buddy_common.errors import BuddyError, ConfigUndoneError, DeadlineExceededError
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.cut_off import walk_back_cut_off
from buddy_worker.usecases.gateway_turn import GATEWAY_TURN_SECONDS, hold_gateway
from buddy_worker.usecases.plugin_before import PluginBefore
from buddy_worker.usecases.settle_change import settle_broken_change
from buddy_worker.usecases.way_back import patience_of, take_back, undo_change
from buddy_worker.usecases.witness import Witness, look_when_settled

Installed = TypeVar("Installed")
Result = TypeVar("Result")


async def install_and_turn_on(
    job: RunningJob[AnyJob],
    before: PluginBefore,
    *,
    install: Callable[[], Awaitable[Installed]],
    turn_on: Callable[[Installed, Config], Awaitable[Result]],
) -> Result:
    """Do both, one after the other, or neither; `turn_on` gets the config as it was before `install`.

    Raises:
        ConfigUndoneError: it could not be turned on; all is as before.
        BuddyError: as of `install`, which undoes what it has done by then.
    """
    try:
        way_back = await _look_way_back(job, before)
        try:
            installed = await install()
            try:
                return await turn_on(installed, way_back.state.config)
            except BuddyError as exc:
                raise await way_back.go(exc) from exc
        except asyncio.CancelledError:
            await to_its_end(
                walk_back_cut_off(job, before=way_back.state, witness=way_back.witness, plugin=before)
            )
            raise
    finally:
        await before.forget()


@dataclass(frozen=True)
class _WayBack:
    """Plugin, config and gateway as they were before the first step of several."""

    job: RunningJob[Any]
    plugin: PluginBefore
    state: ConfigState
    witness: Witness

    async def go(self, why: BuddyError) -> ConfigUndoneError:
        """Put all of it back, and return what to tell.

        Raises:
            StateUnwritableError: the config cannot be written.
        """
        reason = str(why.detail.get("reason", why.message))
        try:
            async with hold_gateway(self.job.host, seconds=GATEWAY_TURN_SECONDS):
                return await to_its_end(
                    undo_change(
                        self.job,
                        reason,
                        before=self.state,
                        backup=None,
                        witness=self.witness,
                        plugin=self.plugin,
                    )
                )
        except DeadlineExceededError as exc:  # somebody else has the gateway; the files need no turn with it
            undone = await to_its_end(
                take_back(self.job, before=self.state, witness=None, plugin=self.plugin)
            )
            text = f"It was undone, for it could not be turned on: {reason} {undone.trouble}".rstrip()
            return ConfigUndoneError(
                f"{text} The gateway was not looked at: {exc.message}", reason=reason, gatewayUp=None
            )


async def _look_way_back(job: RunningJob[AnyJob], plugin: PluginBefore) -> _WayBack:
    host = job.host
    await asyncio.to_thread(settle_broken_change, host, but=job.task_id)
    witness = await look_when_settled(
        host.gateway, host.state, progress=job, patience=patience_of(host.gateway_settings)
    )
    return _WayBack(job, plugin, await asyncio.to_thread(host.config_files.read), witness)
