"""Install a plugin of OpenClaw, and look whether it is there afterwards, and runs."""

import re
from dataclasses import replace

from buddy_common.adapters.openclaw_config import Config
from buddy_common.errors import PluginNotInstalledError
from buddy_worker.audited import Audited
from buddy_worker.edits.switches import enable_plugin
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.change_config import change_config
from buddy_worker.usecases.confirm_change import Applied
from buddy_worker.usecases.gateway_turn import GATEWAY_TURN_SECONDS, hold_gateway
from buddy_worker.usecases.guarded_command import guarded_command
from buddy_worker.usecases.install_way_back import install_and_turn_on
from buddy_worker.usecases.list_plugins import ListedPlugin, list_plugins, package_of, plugin_made
from buddy_worker.usecases.plugin_before import plugin_before
from buddy_worker.usecases.plugin_command import install_package

# both generations say so at the end
_INSTALLED = re.compile(r"^Installed plugin: (\S+)$", re.MULTILINE)


class PluginInstalled(Audited):
    """A plugin that OpenClaw lists."""

    id: str
    version: str | None
    enabled: bool
    applied: Applied


async def install_plugin(job: RunningJob[AnyJob], *, spec: str, force: bool) -> PluginInstalled:
    """Install a package from its registry; `force` takes one whose source OpenClaw does not know.

    Raises:
        OpenClawNotFoundError: there is no usable program.
        OpenClawCliError: OpenClaw refused or failed; the message is its own.
        PluginNotInstalledError: it said that it did, but does not list the plugin.
        ConfigUndoneError: the gateway could not live with it; it is gone again.
        BuddyError: as of `guarded_command` and `change_config`.
    """
    await job.stage("looking at what is there", 5)
    listed = await list_plugins(job)
    before = await plugin_before(job, listed, plugin=None, package=package_of(spec))

    async def command() -> ListedPlugin:
        await job.stage("installing", 20)
        done = await install_package(job, spec, force=force)
        named = _INSTALLED.findall(done.stdout)
        if not named:
            raise PluginNotInstalledError(f"OpenClaw did not say that it installed {spec!r}.")
        await job.stage("checking", 60)
        return await _listed(job, named[-1])

    async def install() -> tuple[ListedPlugin, Applied]:
        return await guarded_command(job, command, plugin=before, progress=job)

    async def turn_on(installed: tuple[ListedPlugin, Applied], _: Config) -> PluginInstalled:
        plugin, applied = installed
        # the newer generation leaves one off that was turned off, or removed, before
        async with hold_gateway(job.host, seconds=GATEWAY_TURN_SECONDS):
            changed = await change_config(
                job, lambda config: enable_plugin(config, plugin.id, enabled=True), base_hash=None
            )
        applied = changed.applied if changed.changed else applied
        return PluginInstalled(
            id=plugin.id,
            version=plugin.version,
            enabled=True,
            applied=applied,
            made=plugin_made(listed.get(plugin.id), replace(plugin, enabled=True)),
        )

    return await install_and_turn_on(job, before, install=install, turn_on=turn_on)


async def _listed(job: RunningJob[AnyJob], plugin_id: str) -> ListedPlugin:
    plugin = (await list_plugins(job)).get(plugin_id)
    if plugin is None or plugin.bundled:
        raise PluginNotInstalledError(f"OpenClaw installed {plugin_id!r}, but does not list it.")
    await job.line(f"OpenClaw lists {plugin_id} {plugin.version or ''}".rstrip())
    return plugin
