"""Remove a plugin that was installed, and look whether it is gone."""

from buddy_common.errors import PluginNotRemovedError
from buddy_worker.audited import Audited
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.confirm_change import Applied
from buddy_worker.usecases.guarded_command import guarded_command
from buddy_worker.usecases.list_plugins import list_plugins, plugin_made, require_installed
from buddy_worker.usecases.plugin_before import plugin_before
from buddy_worker.usecases.plugin_command import plugin_command


class PluginUninstalled(Audited):
    """A plugin that is gone."""

    id: str
    version: str | None
    applied: Applied


async def uninstall_plugin(job: RunningJob[AnyJob], *, plugin: str) -> PluginUninstalled:
    """Remove it, its files and its settings, whatever uses it.

    Raises:
        UnknownPluginError: OpenClaw has none of this id.
        BundledPluginError: it is part of OpenClaw.
        OpenClawCliError: OpenClaw refused or failed; the message is its own.
        PluginNotRemovedError: it said that it did, but still lists it.
        ConfigUndoneError: the gateway could not live without it; it is back.
        BuddyError: as of `guarded_command`.
    """
    await job.stage("looking at what is there", 5)
    listed = await list_plugins(job)
    found = require_installed(
        listed, plugin, instead="It cannot be removed; `POST /v1/openclaw/plugins/disable` turns it off."
    )
    before = await plugin_before(job, listed, plugin=plugin, package=found.package)

    async def command() -> None:
        # without the flag, the older generation asks at a terminal, does nothing and calls that a success
        await plugin_command(job, "uninstall", plugin, flags=["--force"])
        await job.stage("checking", 60)
        left = (await list_plugins(job)).get(plugin)
        if left is not None and not left.bundled:
            raise PluginNotRemovedError(plugin)

    try:
        _, applied = await guarded_command(job, command, plugin=before, progress=job)
    finally:
        await before.forget()
    return PluginUninstalled(id=plugin, version=found.version, applied=applied, made=plugin_made(found, None))
