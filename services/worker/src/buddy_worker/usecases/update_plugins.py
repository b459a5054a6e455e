"""Update plugins one at a time: one that the gateway cannot live with is rolled back, the others go on."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from pydantic import BaseModel

from buddy_common.errors import (
    BuddyError,
    ConfigUndoneError,
    DeadlineExceededError,
    OpenClawCliError,
    PluginNotUpdatedError,
    StateUnwritableError,
)
from buddy_common.ports import Progress
from buddy_worker.audited import Audited, Made
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.guarded_command import guarded_command
from buddy_worker.usecases.known_things import is_new_openclaw
from buddy_worker.usecases.list_plugins import ListedPlugin, list_plugins, require_installed
from buddy_worker.usecases.plugin_before import plugin_before
from buddy_worker.usecases.plugin_command import plugin_command


class UpdateStatus(StrEnum):
    """What became of one plugin."""

    UPDATED = "updated"
    UNCHANGED = "unchanged"
    ROLLED_BACK = "rolled back"
    FAILED = "failed"


class PluginUpdate(BaseModel):
    """One plugin, and the version that it had and has."""

    id: str
    before: str | None
    after: str | None
    status: UpdateStatus
    reason: str | None  # in OpenClaw's own words


class PluginsUpdated(Audited):
    """What became of each plugin."""

    plugins: list[PluginUpdate]
    message: str


async def update_plugins(job: RunningJob[AnyJob], *, only: str | None) -> PluginsUpdated:
    """Update one plugin, or all that were installed; the gateway need not run.

    Raises:
        UnknownPluginError: OpenClaw has none of this id.
        BundledPluginError: it comes with OpenClaw itself.
        PluginNotUpdatedError: none could be updated.
        BuddyError: as of `guarded_command`, before anything was tried. Later ones are told of their plugin.
    """
    await job.stage("looking at what is there", 2)
    listed = await list_plugins(job)
    if only is None:
        asked = [plugin for plugin in listed.values() if not plugin.bundled]
    else:
        asked = [require_installed(listed, only, instead="It is updated with OpenClaw.")]
    updates = _Updates(job, listed)
    for number, plugin in enumerate(asked):
        await updates.make(plugin, _Share(job, plugin.id, number, len(asked)))
    return _report(updates.done)


class _Updates:
    def __init__(self, job: RunningJob[AnyJob], listed: Mapping[str, ListedPlugin]) -> None:
        self._job = job
        self._listed = listed
        self._why_not: str | None = None  # to try the others
        self.done: list[PluginUpdate] = []

    async def make(self, plugin: ListedPlugin, progress: Progress) -> None:
        """Update one, and note what became of it."""
        if self._why_not is not None:
            self._note(plugin, UpdateStatus.FAILED, f"Not tried, since {self._why_not}.")
            return
        try:
            await self._make(plugin, progress)
        except DeadlineExceededError:
            raise
        except BuddyError as exc:  # as would the next one
            if not self.done:
                raise
            self._note(plugin, UpdateStatus.FAILED, exc.message)
            self._why_not = f"{plugin.id} could not be updated ({exc.error})"

    async def _make(self, plugin: ListedPlugin, progress: Progress) -> None:
        try:
            before = await plugin_before(self._job, self._listed, plugin=plugin.id, package=plugin.package)
        except StateUnwritableError as exc:  # those before it are made all the same
            self._note(plugin, UpdateStatus.FAILED, exc.message)
            return
        try:
            (after, said), _ = await guarded_command(
                self._job, partial(self._run, plugin), plugin=before, progress=progress
            )
        except ConfigUndoneError as exc:
            if exc.detail["gatewayUp"] is not True:
                self._why_not = "the gateway did not come up after the one before"
            self._note(plugin, UpdateStatus.ROLLED_BACK, exc.message + await self._stays_at(plugin))
        except OpenClawCliError as exc:
            self._note(plugin, UpdateStatus.FAILED, exc.message)
        else:
            unchanged = after == plugin.version
            status = UpdateStatus.UNCHANGED if unchanged else UpdateStatus.UPDATED
            self._note(plugin, status, said if unchanged else None, after=after)
            if not unchanged:
                self._job.made.append(f"{plugin.id} was updated from {plugin.version} to {after} before.")
        finally:
            await before.forget()

    async def _run(self, plugin: ListedPlugin) -> tuple[str | None, str]:
        """Return the version that it has now, and the last words of the command."""
        done = await plugin_command(self._job, "update", plugin.id)
        now = (await list_plugins(self._job)).get(plugin.id)
        said = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        return (None if now is None else now.version), (said[-1] if said else "")

    async def _stays_at(self, plugin: ListedPlugin) -> str:
        """Return what to know of one that was installed again by its version."""
        if not await is_new_openclaw(self._job.host):
            return ""
        return (
            f" OpenClaw keeps it at {plugin.version} from now on;"
            " `plugins/install` without a version, with `force`, lets it move again."
        )

    def _note(
        self, plugin: ListedPlugin, status: UpdateStatus, reason: str | None, *, after: str | None = None
    ) -> None:
        kept = plugin.version if after is None else after
        self.done.append(
            PluginUpdate(id=plugin.id, before=plugin.version, after=kept, status=status, reason=reason)
        )


@dataclass(frozen=True)
class _Share:
    """The progress of one among several: its percents are those of its part."""

    job: RunningJob[Any]
    plugin: str
    number: int
    count: int

    async def stage(self, name: str, percent: int) -> None:
        share = (self.number * 100 + percent) / self.count
        await self.job.stage(f"{self.plugin}: {name}", max(2, round(share)))

    async def line(self, text: str) -> None:
        await self.job.line(text)

    async def command(self, text: str) -> None:
        await self.job.command(text)


def _report(done: list[PluginUpdate]) -> PluginsUpdated:
    if not done:
        return PluginsUpdated(plugins=[], message="No plugin is installed that could be updated.")
    count = Counter(update.status for update in done)
    if not count[UpdateStatus.UPDATED] and not count[UpdateStatus.UNCHANGED]:
        reasons = " ".join(f"{update.id}: {update.reason}" for update in done)
        rows = [update.model_dump(mode="json") for update in done]
        raise PluginNotUpdatedError(f"No plugin was updated. {reasons}", plugins=rows)
    text = ", ".join(f"{number} {status}" for status, number in count.items())
    updated = [update for update in done if update.status is UpdateStatus.UPDATED]
    made = [Made(f"plugin {update.id}", update.before, update.after) for update in updated]
    return PluginsUpdated(plugins=done, message=f"Of {len(done)} plugins: {text}.", made=made)
