"""Have the gateway load plugins anew: by itself where it can, else by a restart."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal

from pydantic import BaseModel

from buddy_common.errors import (
    GatewayNotRunningError,
    GatewayRpcError,
    GatewayUnreachableError,
    UnknownPluginError,
)
from buddy_common.usecases.restart_gateway import restart_gateway
from buddy_worker.gateway_calls import GatewayCall, call_gateway
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.confirm_change import RefusedChangeError, confirm_change
from buddy_worker.usecases.list_plugins import list_plugins
from buddy_worker.usecases.way_back import patience_of
from buddy_worker.usecases.witness import Witness, look_when_settled

RELOAD_SECONDS = 180.0  # it waits up to 60 s for what a plugin is busy with
MOST_AT_ONCE = 64  # what one call takes


class PluginsReloaded(BaseModel):
    """Which plugins were loaded anew, and how."""

    how: Literal["reload", "restart"]
    plugins: list[str]


async def reload_plugins(job: RunningJob[AnyJob], *, only: str | None) -> PluginsReloaded:
    """Load one plugin anew, or all that were installed.

    Raises:
        GatewayNotRunningError: none runs, or it is still starting.
        UnknownPluginError: OpenClaw has none of this id.
        GatewayRpcError: the gateway refuses; the message is its own.
        GatewayStartError: it has ended while it did, or does not come up again.
        BuddyError: the gateway cannot be asked, or not be restarted.
    """
    host = job.host
    await job.stage("looking at what is there", 5)
    witness = await look_when_settled(
        host.gateway, host.state, progress=job, patience=patience_of(host.gateway_settings)
    )
    if witness.process is None:
        raise GatewayNotRunningError("load plugins anew")
    listed = await list_plugins(job)
    if only is not None and only not in listed:
        raise UnknownPluginError(only)
    meant = [only] if only else [p.id for p in listed.values() if p.enabled and not p.bundled]
    state = await asyncio.to_thread(host.config_files.read)
    async with call_gateway(host, state.config) as call:
        if call.has("plugins.reload"):
            await _reload(job, call, meant, witness)
            return PluginsReloaded(how="reload", plugins=meant)
    await job.line("This OpenClaw cannot load a plugin anew by itself: the gateway is restarted")
    await restart_gateway(
        host.gateway,
        host.state,
        progress=job,
        patience=patience_of(host.gateway_settings),
        drain_seconds=host.gateway_settings.drain_seconds,
        force=False,
        lock_descriptors=job.lock_descriptors,
    )
    return PluginsReloaded(how="restart", plugins=meant)


async def _reload(
    job: RunningJob[AnyJob], call: GatewayCall, plugins: Sequence[str], witness: Witness
) -> None:
    """Ask for it, and see that the gateway has lived through it."""
    await job.stage("reloading", 30)
    refused: GatewayRpcError | GatewayUnreachableError | None = None
    try:
        if not plugins:  # what lies in its folders may have changed all the same
            await call.call("plugins.refresh", {}, seconds=RELOAD_SECONDS)
        for first in range(0, len(plugins), MOST_AT_ONCE):
            targets = [{"pluginId": plugin} for plugin in plugins[first : first + MOST_AT_ONCE]]
            await call.call("plugins.reload", {"plugins": targets}, seconds=RELOAD_SECONDS)
    except (GatewayRpcError, GatewayUnreachableError) as exc:
        refused = exc
    with suppress(RefusedChangeError):  # a change of the config, made by somebody else
        await confirm_change(
            witness,
            acknowledged=True,
            restarts=False,
            progress=job,
            patience=patience_of(job.host.gateway_settings),
        )
    if refused is not None:
        raise refused
