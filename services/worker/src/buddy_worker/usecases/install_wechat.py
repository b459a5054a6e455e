"""Install OpenClaw's WeChat channel, in the version that fits, so that logins to it work."""

from dataclasses import dataclass

from buddy_common.adapters.empty_registry import empty_registry
from buddy_common.adapters.openclaw_config import Config
from buddy_common.adapters.openclaw_version import version_key
from buddy_common.errors import PluginNotInstalledError, WechatUnsupportedError
from buddy_common.ports import Progress
from buddy_common.schemas.wechat import PACKAGE, PLUGIN
from buddy_worker.audited import Audited, made_of
from buddy_worker.edits.wechat import ChannelSettings, prepare_channel
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.change_config import change_config
from buddy_worker.usecases.confirm_change import Applied
from buddy_worker.usecases.gateway_turn import GATEWAY_TURN_SECONDS, hold_gateway
from buddy_worker.usecases.guarded_command import guarded_command
from buddy_worker.usecases.install_way_back import install_and_turn_on
from buddy_worker.usecases.known_things import is_new_openclaw
from buddy_worker.usecases.list_plugins import ListedPlugin, list_plugins, plugin_made
from buddy_worker.usecases.plugin_before import PluginBefore, plugin_before
from buddy_worker.usecases.plugin_command import install_package, plugin_command
from buddy_worker.usecases.wechat_channel import require_channel

_LATER = frozenset({Applied.AT_NEXT_START, Applied.AT_RESTART})
_BROKEN = frozenset({"error", "failed", "disabled", "unavailable"})


@dataclass(frozen=True)
class _Release:
    """A release of the plugin, the OpenClaw that it is made for, and which other ones are as good."""

    openclaw: str
    version: str
    least: str
    below: str

    def takes(self, version: str | None) -> bool:
        """Whether a plugin of this version need not be replaced by this release."""
        return version is not None and version_key(self.least) <= version_key(version) < version_key(
            self.below
        )


# the newest first; 2.4.6 does not work with OpenClaw 2026.8 and newer, 2.1.1 works as 2.1.6 does
_RELEASES = (
    _Release(openclaw="2026.5.12", version="2.4.9", least="2.4.9", below="3"),
    _Release(openclaw="2026.3.22", version="2.1.6", least="2.1.1", below="2.2"),
)


class WechatInstalled(Audited):
    """The WeChat plugin as OpenClaw has it."""

    id: str
    version: str | None
    installed: bool  # by this job; it was there already otherwise
    enabled: bool
    loaded: bool | None  # by the gateway; None where none could be asked
    applied: Applied


async def install_wechat(job: RunningJob[AnyJob]) -> WechatInstalled:
    """Install the plugin where it is not there or does not fit, turn it on, and see that the gateway has it.

    Raises:
        WechatUnsupportedError: there is none for this OpenClaw.
        OpenClawCliError: OpenClaw refused or failed; the message is its own.
        PluginNotInstalledError: it said that it did, but does not have the plugin, or cannot load it.
        WechatChannelError: the plugin was there, and the gateway does not have its channel.
        ConfigUndoneError: the gateway could not live with it; all is as before.
        BuddyError: as of `guarded_command` and `change_config`.
    """
    await job.stage("looking at what is there", 5)
    release = release_for((await job.host.openclaw.inspect()).version)
    listed = await list_plugins(job)
    found = listed.get(PLUGIN)
    if found is not None and release.takes(found.version):
        await job.line(f"{PLUGIN} {found.version} is there already, and fits")
        return await _turn_on(job, ChannelSettings(), found=found)
    before = await plugin_before(
        job, listed, plugin=None if found is None else PLUGIN, package=None if found else PACKAGE
    )

    async def turn_on(applied: Applied, config: Config) -> WechatInstalled:
        # only now does the gateway load what was off, or on no list, before
        return await _turn_on(job, ChannelSettings.of(config), found=found, installed=applied)

    return await install_and_turn_on(
        job, before, install=lambda: _install(job, release, found, before), turn_on=turn_on
    )


def release_for(openclaw: str | None) -> _Release:
    """Return the release of the plugin for a version of OpenClaw.

    Raises:
        WechatUnsupportedError: there is none.
    """
    version = version_key(openclaw or "")
    for release in _RELEASES:
        if version >= version_key(release.openclaw):
            return release
    raise WechatUnsupportedError(openclaw, _RELEASES[-1].openclaw)


async def _install(
    job: RunningJob[AnyJob], release: _Release, found: ListedPlugin | None, before: PluginBefore
) -> Applied:
    spec = f"{PACKAGE}@{release.version}"

    async def command() -> None:
        is_new = await is_new_openclaw(job.host)
        if found is not None and not is_new:  # the older generation installs nothing over what is there
            await job.stage(f"removing {found.version}", 20)
            await plugin_command(job, "uninstall", PLUGIN, flags=["--force"])
        await job.stage(f"installing {spec}", 25)
        # the older generation asks ClawHub first, and gives up where that cannot be reached
        async with empty_registry() as clawhub:
            asked = {} if is_new else {"OPENCLAW_CLAWHUB_URL": clawhub}
            await install_package(job, spec, force=found is not None, environment=asked)
        await job.stage("checking the plugin", 60)
        if PLUGIN not in await list_plugins(job):
            raise PluginNotInstalledError(f"OpenClaw does not list {PLUGIN!r}.")

    _, applied = await guarded_command(job, command, plugin=before, progress=_Quiet(job))
    return applied


async def _turn_on(
    job: RunningJob[AnyJob],
    settings: ChannelSettings,
    *,
    found: ListedPlugin | None,
    installed: Applied | None = None,
) -> WechatInstalled:
    job.keep_above(75)
    await job.stage("turning the channel on", 75)
    async with hold_gateway(job.host, seconds=GATEWAY_TURN_SECONDS):
        changed = await change_config(
            job, lambda config: prepare_channel(config, settings=settings), base_hash=None
        )
    await job.stage("verifying the channel", 95)
    plugin = await _verified(job)
    applied = changed.applied if changed.changed else installed or Applied.HOT
    # not before the gateway has started anew, which may wait for chats to end
    loaded = None if applied in _LATER else await require_channel(job)
    return WechatInstalled(
        id=PLUGIN,
        version=plugin.version,
        installed=installed is not None,
        enabled=plugin.enabled,
        loaded=loaded,
        applied=applied,
        made=[*plugin_made(found, plugin), *made_of(changed.changes)],
    )


async def _verified(job: RunningJob[AnyJob]) -> ListedPlugin:
    plugin = (await list_plugins(job)).get(PLUGIN)
    if plugin is None or not plugin.enabled or plugin.status in _BROKEN:
        status = "is not there" if plugin is None else f"is {plugin.status or 'off'}"
        raise PluginNotInstalledError(f"OpenClaw was told to have {PLUGIN!r} on, but it {status}.")
    await job.line(f"OpenClaw has {PLUGIN} {plugin.version or ''}: {plugin.status or 'on'}")
    return plugin


@dataclass(frozen=True)
class _Quiet:
    """The progress of what is only a part of the job: it never falls back behind that of the whole."""

    job: Progress
    least: int = 10
    most: int = 70

    async def stage(self, name: str, percent: int) -> None:
        """Say what happens, within the part's own bounds."""
        await self.job.stage(name, min(max(percent, self.least), self.most))

    async def line(self, text: str) -> None:
        """Add a line to the output."""
        await self.job.line(text)

    async def command(self, text: str) -> None:
        """Name the program that runs."""
        await self.job.command(text)
