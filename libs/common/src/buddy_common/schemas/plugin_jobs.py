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


class InstallPluginJob(Job):
    """Install a plugin of OpenClaw from its registry."""

    task: ClassVar[str] = "buddy.plugins.install"
    title: ClassVar[str] = "Install plugin"
    module: ClassVar[str] = "plugins"
    action: ClassVar[str] = "install"
    lane: ClassVar[Lane] = Lane.SLOW
    deadline_seconds: ClassVar[float] = 900  # 85 to 210 s on an idle machine, more behind a slow line
    locks: ClassVar[frozenset[NodeLock]] = frozenset({NodeLock.CONFIG})
    changes: ClassVar[tuple[Resource, ...]] = MIRRORED

    spec: PluginSpec
    force: bool = False  # take it although OpenClaw does not know its source

    @property
    def target(self) -> str | None:
        """The package."""
        return self.spec


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
