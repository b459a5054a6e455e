"""The jobs that change which plugins OpenClaw has."""

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, StringConstraints

from buddy_common.schemas.config_job import ConfigJob
from buddy_common.schemas.job import Job, Lane, NodeLock
from buddy_common.schemas.names import PluginId
from buddy_common.schemas.resources import MIRRORED, Resource

_NAME = r"[A-Za-z0-9](?:\.?[A-Za-z0-9_-])*"
_PACKAGE = re.compile(rf"(?:@{_NAME}/)?{_NAME}(?:@{_NAME})?")


def _package(spec: str) -> str:
    if not _PACKAGE.fullmatch(spec):
        raise ValueError(
            "give a package name such as `@openclaw/voice-call` or `name@1.2.3`; no path, address or option"
        )
    return spec


# a package of npm or ClawHub, with or without a version
PluginSpec = Annotated[str, StringConstraints(max_length=128), AfterValidator(_package)]


class PluginJob(Job):
    """What OpenClaw's own command changes; the gateway must live with it, or it is undone."""

    module: ClassVar[str] = "plugins"
    lane: ClassVar[Lane] = Lane.SLOW
    # to undo a change may take a new gateway process
    locks: ClassVar[frozenset[NodeLock]] = frozenset({NodeLock.CONFIG})
    changes: ClassVar[tuple[Resource, ...]] = MIRRORED
    # 85 to 210 s on an idle machine, more behind a slow line; a gateway that restarts, and once more, 1260
    deadline_seconds: ClassVar[float] = 2160


class InstallPluginJob(PluginJob):
    """Install a plugin of OpenClaw from its registry."""

    task: ClassVar[str] = "buddy.plugins.install"
    title: ClassVar[str] = "Install plugin"
    action: ClassVar[str] = "install"

    spec: PluginSpec
    force: bool = False  # take it although OpenClaw does not know its source

    @property
    def target(self) -> str | None:
        """The package."""
        return self.spec


class UninstallPluginJob(PluginJob):
    """Remove a plugin that was installed."""

    task: ClassVar[str] = "buddy.plugins.uninstall"
    title: ClassVar[str] = "Uninstall plugin"
    action: ClassVar[str] = "uninstall"

    id: PluginId

    @property
    def target(self) -> str | None:
        """The plugin."""
        return self.id


class UpdatePluginsJob(PluginJob):
    """Update one plugin, or all that were installed, one at a time."""

    task: ClassVar[str] = "buddy.plugins.update"
    title: ClassVar[str] = "Update plugins"
    action: ClassVar[str] = "update"
    deadline_seconds: ClassVar[float] = 7200

    id: PluginId | None = None

    @property
    def target(self) -> str | None:
        """The plugin, if it is one."""
        return self.id


class ReloadPluginsJob(PluginJob):
    """Have the gateway load one plugin, or all that were installed, anew."""

    task: ClassVar[str] = "buddy.plugins.reload"
    title: ClassVar[str] = "Reload plugins"
    action: ClassVar[str] = "reload"
    lane: ClassVar[Lane] = Lane.FAST
    # the older generation restarts for it
    locks: ClassVar[frozenset[NodeLock]] = frozenset({NodeLock.CONFIG, NodeLock.LIFECYCLE})
    deadline_seconds: ClassVar[float] = 1320

    id: PluginId | None = None

    @property
    def target(self) -> str | None:
        """The plugin, if it is one."""
        return self.id


class SetPluginJob(ConfigJob):
    """Turn a plugin on or off."""

    task: ClassVar[str] = "buddy.plugins.set_enabled"
    title: ClassVar[str] = "Enable or disable plugin"
    module: ClassVar[str] = "plugins"
    action: ClassVar[str] = "set_enabled"
    changes: ClassVar[tuple[Resource, ...]] = MIRRORED

    id: PluginId
    enabled: bool

    @property
    def target(self) -> str | None:
        """The plugin."""
        return self.id
