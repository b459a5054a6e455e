"""The way back from a plugin that was installed, but that the gateway cannot live with once it is on."""

import asyncio
from dataclasses import dataclass
from typing import Any

from buddy_common.adapters.config_files import ConfigState
from buddy_common.adapters.finishing import to_its_end
from buddy_common.adapters.openclaw_config import Config
from buddy_common.errors import BuddyError, ConfigUndoneError
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.gateway_turn import GATEWAY_TURN_SECONDS, hold_gateway
from buddy_worker.usecases.plugin_before import PluginBefore
from buddy_worker.usecases.settle_change import settle_broken_change
from buddy_worker.usecases.way_back import patience_of, undo_change
from buddy_worker.usecases.witness import Witness, look_when_settled


@dataclass(frozen=True)
class WayBack:
    """Plugin, config and gateway as they were before the first step of several."""

    job: RunningJob[Any]
    plugin: PluginBefore
    state: ConfigState
    witness: Witness

    @property
    def config(self) -> Config:
        """The config as it was."""
        return self.state.config

    async def go(self, why: BuddyError) -> ConfigUndoneError:
        """Put all of it back, and return what to tell.

        Raises:
            StateUnwritableError: the config cannot be written.
            BuddyError: the gateway is busy with something else.
        """
        reason = str(why.detail.get("reason", why.message))
        async with hold_gateway(self.job.host, seconds=GATEWAY_TURN_SECONDS):
            return await to_its_end(
                undo_change(
                    self.job,
                    reason,
                    before=self.state,
                    backup=None,
                    witness=self.witness,
                    put_back=self.plugin.put_back,
                )
            )


async def look_way_back(job: RunningJob[AnyJob], plugin: PluginBefore) -> WayBack:
    """Look at how all is before the first step.

    Raises:
        GatewayConfigError: the config cannot be read.
    """
    host = job.host
    await asyncio.to_thread(settle_broken_change, host)
    witness = await look_when_settled(
        host.gateway, host.state, progress=job, patience=patience_of(host.gateway_settings)
    )
    return WayBack(job, plugin, await asyncio.to_thread(host.config_files.read), witness)
