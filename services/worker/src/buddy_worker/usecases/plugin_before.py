"""How a plugin was before a change, and how it comes back: by its folder, or from its registry."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from buddy_common.adapters.finishing import to_its_end
from buddy_common.adapters.plugin_note import PluginNote
from buddy_common.errors import PluginNotInstalledError
from buddy_common.schemas.backups import BackupReason
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.known_things import is_new_openclaw
from buddy_worker.usecases.list_plugins import ListedPlugin, list_plugins
from buddy_worker.usecases.plugin_command import install_package, plugin_command
from buddy_worker.usecases.plugin_keys import PluginKeys
from buddy_worker.usecases.settle_change import settle_broken_change
from buddy_worker.usecases.settle_plugin import require_settled


class PluginBefore(Protocol):
    """What a plugin was before."""

    async def put_back(self) -> None:
        """Make it as it was; nothing is done where it still is.

        Raises:
            BuddyError: it could not be done, or not all of it.
        """
        ...

    def keys(self) -> PluginKeys:
        """Return which keys of the config belong to it, as far as that is known by now."""
        ...

    async def forget(self) -> None:
        """Let go of what was kept, unless it is the only good copy: that waits for the next change."""
        ...


async def plugin_before(
    job: RunningJob[AnyJob], listed: Mapping[str, ListedPlugin], *, plugin: str | None, package: str | None
) -> PluginBefore:
    """Remember how a plugin is: by id, or, of one that is about to be installed, by its package.

    Raises:
        GatewayConfigError: the config cannot be read.
        StateUnwritableError: there is no room for a copy of its folder, or what an earlier job left cannot
            be put back.
    """
    await asyncio.to_thread(settle_broken_change, job.host)
    await asyncio.to_thread(require_settled, job.host)
    names = {name for name in (plugin, package) if name}
    known = {row.id: row for row in listed.values() if not row.bundled and {row.id, row.package} & names}
    before: PluginBefore
    if await is_new_openclaw(job.host):
        found = next(iter(known.values()), None)
        before = _Registry(job, known, plugin=plugin, package=package)
        keep = asyncio.to_thread(_note, job, found, package)
    else:
        before = folder = _Folder(job, plugin, package, channels=_channels(known))
        keep = asyncio.to_thread(folder.keep, known.get(plugin or ""))
    try:
        await to_its_end(keep)
    except BaseException:  # nobody will change anything, so nothing may come back from here one day
        await before.forget()
        raise
    return before


def _note(
    job: RunningJob[AnyJob],
    plugin: ListedPlugin | None,
    package: str | None,
    *,
    folder: str | None = None,
    folders: frozenset[str] | None = None,
) -> None:
    """Note how it is, and keep a copy of the config that goes with it."""
    host = job.host
    state = host.config_files.read()
    backup = host.history.add(
        state.files[state.root], state.parts, reason=BackupReason.BEFORE_CHANGE, task_id=job.task_id
    )
    note = PluginNote(
        task_id=job.task_id,
        plugin=folder or (None if plugin is None else plugin.id),
        version=None if plugin is None else plugin.version,
        package=package if plugin is None else plugin.package or package,
        backup=backup.name,
        is_local=folders is not None,
        folders=sorted(folders or ()),
        channels=() if plugin is None else plugin.channels,
    )
    host.plugin_journal.begin(note)


def _channels(plugins: Mapping[str, ListedPlugin]) -> frozenset[str]:
    return frozenset(channel for plugin in plugins.values() for channel in plugin.channels)


class _Registry:
    """Of the newer generation, whose files are its own: its commands put back what they changed."""

    def __init__(
        self,
        job: RunningJob[AnyJob],
        before: Mapping[str, ListedPlugin],
        *,
        plugin: str | None,
        package: str | None,
    ) -> None:
        self._job = job
        self._names = {plugin, package} - {None}
        self._before = before
        ids = frozenset({plugin} if plugin else before)
        self._keys = PluginKeys(ids, _channels(before), None if ids else package)

    async def put_back(self) -> None:
        now = {
            plugin.id: plugin for plugin in (await list_plugins(self._job)).values() if self._is_meant(plugin)
        }
        keys = self._keys
        self._keys = replace(keys, ids=keys.ids | now.keys(), channels=keys.channels | _channels(now))
        for plugin in now.values():
            if plugin.id not in self._before:
                await plugin_command(self._job, "uninstall", plugin.id, flags=["--force"])
        for plugin in self._before.values():
            found = now.get(plugin.id)
            if found is None or found.version != plugin.version:
                await self._install(plugin)

    def keys(self) -> PluginKeys:
        return self._keys

    async def forget(self) -> None:
        """Forget the note: the registry has the plugin."""
        await to_its_end(asyncio.to_thread(self._job.host.plugin_journal.end))

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

    def __init__(
        self,
        job: RunningJob[AnyJob],
        plugin: str | None,
        package: str | None,
        *,
        channels: frozenset[str],
    ) -> None:
        self._job = job
        self._folders = job.host.plugin_folders
        self._plugin = plugin
        self._package = package
        self._names = frozenset[str]()
        self._is_needed = False  # it is changed, and not back yet
        ids = frozenset({plugin} if plugin else ())
        self._keys = PluginKeys(ids, channels, None if plugin else package)

    def keep(self, listed: ListedPlugin | None) -> None:
        """Copy it, if it is there. Blocks."""
        self._names = self._folders.names()
        if self._plugin is not None:
            self._folders.keep(self._plugin)
        _note(self._job, listed, self._package, folder=self._plugin, folders=self._names)

    async def put_back(self) -> None:
        self._is_needed = True
        await to_its_end(asyncio.to_thread(self._put_back))
        self._is_needed = False

    def _put_back(self) -> None:
        if self._plugin is not None:
            self._folders.put_back(self._plugin)
        elif self._package is not None:
            new = self._folders.remove_new(self._names, package=self._package)
            self._keys = replace(self._keys, ids=self._keys.ids | new)

    def keys(self) -> PluginKeys:
        return self._keys

    async def forget(self) -> None:
        """Drop the note first: a copy without one is of no use to anybody."""
        if not self._is_needed:
            await to_its_end(asyncio.to_thread(self._forget))

    def _forget(self) -> None:
        journal = self._job.host.plugin_journal
        if journal.open_note() and journal.settled(self._job.task_id):  # it could not be put back
            return
        journal.end()
        self._folders.forget()
