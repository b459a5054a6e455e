"""How a plugin was before a change, and how it comes back: by its folder, or from its registry."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from buddy_common.errors import PluginNotInstalledError
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.known_things import is_new_openclaw
from buddy_worker.usecases.list_plugins import ListedPlugin, list_plugins
from buddy_worker.usecases.plugin_command import install_package, plugin_command


class PluginBefore(Protocol):
    """What a plugin was before."""

    async def put_back(self) -> None:
        """Make it as it was; nothing is done where it still is.

        Raises:
            BuddyError: it could not be done, or not all of it.
        """
        ...

    async def forget(self) -> None:
        """Let go of what was kept."""
        ...


async def plugin_before(
    job: RunningJob[AnyJob], listed: Mapping[str, ListedPlugin], *, plugin: str | None, package: str | None
) -> PluginBefore:
    """Remember how a plugin is: by id, or, of one that is about to be installed, by its package.

    Raises:
        StateUnwritableError: there is no room for a copy of its folder.
    """
    if await is_new_openclaw(job.host):
        return _Registry(job, listed, names={name for name in (plugin, package) if name})
    before = _Folder(job, plugin, package)
    await before.keep()
    return before


class _Registry:
    """Of the newer generation, whose files are its own: its commands put back what they changed."""

    def __init__(
        self, job: RunningJob[AnyJob], listed: Mapping[str, ListedPlugin], *, names: set[str]
    ) -> None:
        self._job = job
        self._names = names
        self._before = {plugin.id: plugin for plugin in listed.values() if self._is_meant(plugin)}

    async def put_back(self) -> None:
        now = {
            plugin.id: plugin for plugin in (await list_plugins(self._job)).values() if self._is_meant(plugin)
        }
        for plugin in now.values():
            if plugin.id not in self._before:
                await plugin_command(self._job, "uninstall", plugin.id, flags=["--force"])
        for plugin in self._before.values():
            found = now.get(plugin.id)
            if found is None or found.version != plugin.version:
                await self._install(plugin)

    async def forget(self) -> None:
        """Nothing is kept: the registry has it."""

    async def _install(self, plugin: ListedPlugin) -> None:
        if plugin.package is None or plugin.version is None:
            raise PluginNotInstalledError(
                f"Where {plugin.id!r} came from is not known, so it cannot be installed again."
            )
        await install_package(self._job, f"{plugin.package}@{plugin.version}", force=True)

    def _is_meant(self, plugin: ListedPlugin) -> bool:
        return not plugin.bundled and bool({plugin.id, plugin.package} & self._names)


class _Folder:
    """Of the older generation: the rest of what it knows of a plugin is in the config."""

    def __init__(self, job: RunningJob[AnyJob], plugin: str | None, package: str | None) -> None:
        self._folders = job.host.plugin_folders
        self._plugin = plugin
        self._package = package
        self._names = frozenset[str]()

    async def keep(self) -> None:
        """Copy it, if it is there."""
        self._names = await asyncio.to_thread(self._folders.names)
        if self._plugin is not None:
            await asyncio.to_thread(self._folders.keep, self._plugin)

    async def put_back(self) -> None:
        if self._plugin is not None:
            await asyncio.to_thread(self._folders.put_back, self._plugin)
        elif self._package is not None:
            await asyncio.to_thread(self._folders.remove_new, self._names, package=self._package)

    async def forget(self) -> None:
        """Drop the copy."""
        await asyncio.to_thread(self._folders.forget)
