"""Change `openclaw.json` so that OpenClaw cannot be broken by it.

A copy is kept, OpenClaw judges the change, it is written in one step, and the gateway must come up on it; or
the previous bytes come back.
"""

import asyncio
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

import structlog
from pydantic import BaseModel

from buddy_common.adapters.config_files import ConfigState
from buddy_common.adapters.finishing import to_its_end
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.openclaw_config import Config, section
from buddy_common.config_diff import KeyChange, brief, changes_between, holds, shown_changes
from buddy_common.errors import (
    BuddyError,
    ConfigChangedError,
    ConfigUndoneError,
    GatewayBusyError,
    GatewayRefusedError,
    GatewayUnreachableError,
)
from buddy_common.usecases.validate_config import validate_config
from buddy_worker.gateway_calls import call_gateway
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.confirm_change import (
    NOT_TAKEN,
    Applied,
    RefusedChangeError,
    confirm_change,
    reason_of,
)
from buddy_worker.usecases.patch_config import (
    Instead,
    NotByPatchError,
    made_changes,
    patch_config,
    takes_patches,
)
from buddy_worker.usecases.require_base import require_base
from buddy_worker.usecases.settle_change import settle_broken_change
from buddy_worker.usecases.way_back import is_cancelled, keep_copy, patience_of, put_config_back, undo_change
from buddy_worker.usecases.witness import Witness, look_when_settled

PATCH_TRIES = 2  # a gateway that restarts in the first takes the second

log = structlog.get_logger(__name__)

Edit = Callable[[Config], object]
Via = Literal["rpc", "file", "none"]


class ConfigChanged(BaseModel):
    """A change that is in the file, and what the gateway made of it."""

    changed: list[str]  # paths in openclaw.json
    changes: list[dict[str, Any]]  # the same with `op`, `old` and `new`, secrets masked
    hash: str  # of the config as it is now: what `If-Match` takes
    backup: str | None  # of how it was before
    via: Via
    applied: Applied
    commentsLost: bool  # noqa: N815 - a result that clients read


async def change_config(
    job: RunningJob[AnyJob], edit: Edit, *, base_hash: str | None, instead: Instead | None = None
) -> ConfigChanged:
    """Make one change, which `edit` makes to the config that it is given, its includes resolved.

    `instead` is what the newer gateway is called for where it does not take the change as a patch.

    Raises:
        BuddyError: whatever `edit` raises: nothing is written.
        ConfigChangedError: the file is not the one that the client has seen.
        GatewayConfigError: it cannot be read.
        ConfigRejectedError: OpenClaw does not take the change; nothing was written.
        IncludeUnsupportedError: the key lies where files overlap; nothing was written.
        ConfigUndoneError: the gateway could not live with it; the previous bytes are back.
        StateUnwritableError: the disk is full; nothing was written.
        GatewayBusyError: it works and answers nothing, so nobody could see what it makes of the change.
    """
    change = _Change(job, edit, base_hash, instead)
    return await change.make()


@dataclass(frozen=True)
class _Written:
    """A change that is in the file, and the gateway as it was before."""

    via: Via
    changes: Sequence[KeyChange]
    witness: Witness
    acknowledged: bool = False  # the gateway has said that it is applied
    restarts: bool = False  # it has said that it will restart for it


class _Change:
    def __init__(
        self, job: RunningJob[AnyJob], edit: Edit, base_hash: str | None, instead: Instead | None
    ) -> None:
        self._job = job
        self._host: HostPlane = job.host
        self._edit = edit
        self._base_hash = base_hash
        self._instead = instead
        self._before: ConfigState | None = None
        self._backup: str | None = None

    async def make(self) -> ConfigChanged:
        await self._job.stage("reading the config", 10)
        await to_its_end(asyncio.to_thread(settle_broken_change, self._host, but=self._job.task_id))
        witness = await self._look()
        state = await asyncio.to_thread(self._host.config_files.read)
        await asyncio.to_thread(require_base, self._host, self._base_hash, state)
        if not self._plan(state):
            return self._result(state, [], "none", Applied.HOT)
        try:
            written = await self._write(state, witness)
            applied = await self._confirm(written)
            return await self._read_back(written.changes, written.via, applied)
        finally:
            if not is_cancelled():  # else the note tells whoever looks next
                await to_its_end(asyncio.to_thread(settle_broken_change, self._host, but=self._job.task_id))

    def _plan(self, state: ConfigState) -> list[KeyChange]:
        wanted = deepcopy(state.config)
        self._edit(wanted)
        return changes_between(state.config, wanted)

    async def _look(self) -> Witness:
        return await look_when_settled(
            self._host.gateway,
            self._host.state,
            progress=self._job,
            patience=patience_of(self._host.gateway_settings),
        )

    async def _write(self, state: ConfigState, witness: Witness) -> _Written:
        """Write the change by the best way that is open: the file is always there."""
        for _ in range(PATCH_TRIES):
            if witness.process is None:
                break
            try:
                return await self._write_by_patch(state, witness)
            except GatewayUnreachableError:  # on its way down, maybe for a restart
                try:
                    witness = await self._look()
                except GatewayBusyError:
                    if self._before is None:
                        raise
                    break  # it may make it yet of what was sent: the file decides
            except (GatewayRefusedError, NotByPatchError):
                break
        return _Written("file", await self._write_file(), witness)

    async def _write_by_patch(self, state: ConfigState, witness: Witness) -> _Written:
        async with call_gateway(self._host, state.config) as call:
            if not takes_patches(call):
                raise NotByPatchError("the older generation restarts for every patch")
            done = await patch_config(
                call,
                self._host.config_files,
                self._plan_anew,
                keep=self._keep,
                progress=self._job,
                instead=self._instead,
            )
        changes = done.changes or self._made_before(done.before)
        return _Written("rpc", changes, witness, acknowledged=not done.restarts, restarts=done.restarts)

    def _made_before(self, now: ConfigState) -> Sequence[KeyChange]:
        return [] if self._before is None else self._made(now) or self._plan(self._before)

    def _made(self, now: ConfigState) -> Sequence[KeyChange] | None:
        """Return what an earlier try has changed after all, and told nobody."""
        if self._before is None:
            return None
        return made_changes(self._plan(self._before), self._before, now, self._instead)

    def _plan_anew(self, state: ConfigState) -> list[KeyChange]:
        if self._made(state) is None:  # else what differs is our own
            require_base(self._host, self._base_hash, state)
        return self._plan(state)

    async def _write_file(self) -> Sequence[KeyChange]:
        files = self._host.config_files
        while True:
            state = await asyncio.to_thread(files.read)
            changes = await asyncio.to_thread(self._plan_anew, state)
            if not changes:
                return self._made_before(state)
            written = await asyncio.to_thread(files.edited, state, changes)
            wanted = deepcopy(state.config)
            self._edit(wanted)
            await self._job.stage("asking OpenClaw whether it takes it", 30)
            await validate_config(self._host, self._job, wanted)
            await self._keep(state, written)
            await self._job.stage("writing", 50)
            if (await asyncio.to_thread(files.read)).files == state.files:
                await to_its_end(asyncio.to_thread(files.write, written))
                return changes
            await self._job.line("Somebody else has changed openclaw.json meanwhile: planned anew")

    async def _keep(self, state: ConfigState, written: Any = None) -> None:
        """Keep a copy of what is there, and note what is about to happen."""
        await self._job.stage("keeping a copy", 40)
        self._before = state
        self._backup = await keep_copy(self._job, state, written=written)

    async def _confirm(self, written: _Written) -> Applied:
        if not written.changes:
            return Applied.HOT
        if self._before is not None and _reload_is_off(self._before.config):
            return Applied.AT_NEXT_START
        try:
            return await confirm_change(
                written.witness,
                acknowledged=written.acknowledged,
                restarts=written.restarts,
                progress=self._job,
                patience=patience_of(self._host.gateway_settings),
            )
        except NOT_TAKEN as exc:
            raise await to_its_end(self._undo(exc, written.witness, written.changes)) from exc
        except asyncio.CancelledError:
            await to_its_end(self._leave(written.witness, written.changes))
            raise

    async def _leave(self, witness: Witness, changes: Sequence[KeyChange]) -> None:
        """Nobody waits for the gateway any more: one that has ended starts on the old config."""
        ended = witness.process and await self._host.gateway.poll_exit(witness.process) is not None
        if ended and self._before is not None:
            await put_config_back(self._job, before=self._before, changes=changes)

    async def _undo(
        self, why: BuddyError | RefusedChangeError, witness: Witness, changes: Sequence[KeyChange]
    ) -> ConfigUndoneError:
        """Put the previous bytes back and have the gateway come up on them."""
        if self._before is None:
            raise AssertionError("nothing is written before a copy is kept")
        return await undo_change(
            self._job,
            reason_of(why),
            before=self._before,
            changes=changes,
            backup=self._backup,
            witness=witness,
        )

    async def _read_back(self, changes: Sequence[KeyChange], via: Via, applied: Applied) -> ConfigChanged:
        await self._job.stage("looking at what is there now", 95)
        state = await asyncio.to_thread(self._host.config_files.read)
        missing = [change.shown for change in changes if not holds(state.config, change)]
        if missing and not (self._instead and self._instead.is_done(state.config)):
            await self._job.line(f"Somebody else has changed {', '.join(missing)} at the same moment")
            raise ConfigChangedError(current=state.hash, changes=self._since_before(state))
        return self._result(state, changes, via, applied)

    def _shown(self, state: ConfigState, paths: set[str]) -> list[dict[str, Any]]:
        rows = self._since_before(state) or [] if paths else []
        return [
            row | {"old": brief(row["old"]), "new": brief(row["new"])} for row in rows if row["path"] in paths
        ]

    def _since_before(self, state: ConfigState) -> list[dict[str, Any]] | None:
        return None if self._before is None else shown_changes(self._before.config, state.config)

    def _result(
        self, state: ConfigState, changes: Sequence[KeyChange], via: Via, applied: Applied
    ) -> ConfigChanged:
        return ConfigChanged(
            changed=[change.shown for change in changes],
            changes=self._shown(state, {change.shown for change in changes}),
            hash=state.hash,
            backup=self._backup,
            via=via,
            applied=applied,
            commentsLost=bool(changes) and self._before is not None and not self._before.is_strict,
        )


def _reload_is_off(config: Config) -> bool:
    """Whether the gateway looks at its config when it starts, and never again."""
    return section(config, "gateway", "reload").get("mode") == "off"
