"""Put a backup in the place of `openclaw.json`, and take it back where the gateway cannot live with it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn

import structlog

from buddy_common.adapters.config_history import ConfigHistory
from buddy_common.adapters.finishing import to_its_end
from buddy_common.adapters.live_config import LiveConfig
from buddy_common.config_hash import config_hash
from buddy_common.errors import BuddyError, ConfigUndoneError
from buddy_common.ports import CutShort, Gateway, HostState
from buddy_common.schemas.backups import ROOT, Backup, BackupReason
from buddy_common.schemas.gateway import Desired
from buddy_common.usecases.find_gateway import find_gateway
from buddy_common.usecases.follow_startup import Patience
from buddy_common.usecases.start_gateway import GatewayStarted, bring_up
from buddy_common.usecases.stop_gateway import end_gateway
from buddy_worker.audited import Audited

Check = Callable[[Mapping[str, bytes]], Awaitable[None]]
Files = Mapping[str, bytes | None]  # None: it is not there
_BEFORE = BackupReason.BEFORE_RESTORE
# a stop that lets chats end may take 390 s, the start after it 300 s
TAKE_BACK_SECONDS = 900.0
AS_BEFORE = "openclaw.json is as before"

log = structlog.get_logger(__name__)


class BackupRestored(Audited):
    """The backup is `openclaw.json` now; `previous` is the backup of what was there before."""

    name: str
    hash: str
    previous: str | None
    applied: Literal["restart", "next start"]
    pid: int | None = None
    ready: bool | None = None


@dataclass(frozen=True)
class _Late:
    """What there is when the gateway has ended."""

    before: Files  # what an undo puts back
    copy: Mapping[str, bytes] | None  # to be kept; None where nobody has edited it since the first copy
    sha256: str | None = None  # of the config that is kept


@dataclass(frozen=True)
class Restore:
    """Restores backups on one node; the caller holds the locks of its config and of its gateway."""

    gateway: Gateway
    host: HostState
    files: LiveConfig
    history: ConfigHistory
    progress: CutShort
    patience: Patience
    check: Check
    lock_descriptors: Sequence[int] = ()

    async def run(self, name: str, *, task_id: str, again: bool = False) -> BackupRestored:
        """Restore a backup; `again`: an earlier attempt of the same task broke off, nobody knows where.

        Cut off, it puts files and gateway back before it ends, within a bound, and leaves word of both.

        Raises:
            UnknownBackupError: there is no such backup.
            ConfigRejectedError: OpenClaw does not take it; nothing was changed.
            ConfigUndoneError: the gateway does not come up with it; the files are as they were.
            GatewayStopError: the gateway cannot be stopped; nothing was changed.
            GatewayConfigError: what is there cannot be read, and so not be kept.
            StateUnwritableError: the backup of what is there, or the files while no gateway runs, cannot
                be written.
        """
        backup, contents = await asyncio.to_thread(self._load, name)
        await self.progress.stage("checking", 10)
        previous, before = await asyncio.to_thread(self._keep, contents, task_id)
        await self.check(contents)
        process = (await find_gateway(self.gateway, self.host)).process
        restored = BackupRestored(name=name, hash=backup.hash, previous=previous, applied="next start")
        if process is None and not (again and await self.host.desired() is Desired.RUNNING):
            await self._swap_only(contents, before)
            await self.progress.stage("restored", 100)
            return restored
        environment = {} if process is None else await self.gateway.environment(process)
        # whether it is good shows in a minute: the watchdog keeps what the gateway was ready on for so long
        late = None
        try:
            await self._end(force=False)
            late = await self._look_again(contents, before)  # the gateway may have run on for minutes
            return await self._swap_and_start(restored, contents, late, environment, task_id)
        except asyncio.CancelledError:
            await to_its_end(self._walk_back(late, contents, before, environment))
            raise

    def _load(self, name: str) -> tuple[Backup, dict[str, bytes]]:
        backup, contents = self.history.get(name)
        return backup, self.files.named(contents)

    def _keep(self, contents: Mapping[str, bytes], task_id: str) -> tuple[str | None, Files]:
        """Keep what is there; return its backup, and the content of each file that is to be replaced."""
        kept = [b for b in self.history.listing() if (b.task_id, b.reason) == (task_id, _BEFORE)]
        if kept:  # what is there now may be half of the new
            _, before = self._load(kept[0].name)  # the newest: nothing of ours is in any of them
            return kept[0].name, {name: before.get(name) for name in {*contents, *before}}
        before, sha256 = self._read(contents)
        made = None
        if ROOT in before:
            made = self.history.add(before[ROOT], before, reason=_BEFORE, task_id=task_id, sha256=sha256).name
        return made, {name: before.get(name) for name in contents}

    def _read(self, also: Iterable[str]) -> tuple[dict[str, bytes], str]:
        """Return the config's files and others beside them, and the hash of the config alone."""
        now = self.files.read()
        return self.files.read(also) | now, config_hash(now.values())

    async def _look_again(self, contents: Mapping[str, bytes], before: Files) -> _Late:
        """Look at what is there now: somebody may have edited it since it was kept."""
        try:
            now, sha256 = await asyncio.to_thread(self._read, list(before))
        except BuddyError as exc:
            await self.progress.line(f"What was changed meanwhile, if anything, is not kept: {exc.message}")
            return _Late(before, None)
        edited = {
            name: now.get(name)
            for name, old in before.items()
            if now.get(name) not in (old, contents.get(name))  # an earlier attempt may have written it
        }
        late = {**before, **edited}
        whole = {**now, **late}
        copy = {name: content for name, content in whole.items() if content is not None}
        return _Late(late, copy if edited else None, sha256)

    async def _keep_late(self, late: _Late, task_id: str) -> str | None:
        """Keep what was edited after the first copy; return the name of that backup, if one is made."""
        if late.copy is None or ROOT not in late.copy:
            return None
        await self.progress.line("Somebody has changed openclaw.json meanwhile: that is kept, too")
        made = await asyncio.to_thread(
            self.history.add,
            late.copy[ROOT],
            late.copy,
            reason=_BEFORE,
            task_id=task_id,
            sha256=late.sha256,
        )
        return made.name

    async def _swap_only(self, contents: Mapping[str, bytes], before: Files) -> None:
        try:
            await self._write(contents)
        except (BuddyError, asyncio.CancelledError):
            await self._write(before)
            self.progress.left = f"{AS_BEFORE}."
            raise

    async def _swap_and_start(
        self,
        restored: BackupRestored,
        contents: Mapping[str, bytes],
        late: _Late,
        environment: Mapping[str, str],
        task_id: str,
    ) -> BackupRestored:
        try:
            previous = await self._keep_late(late, task_id) or restored.previous
            await self._write(contents)
            up = await self._start(environment)
        except BuddyError as exc:
            await self._undo(exc, restored.name, late.before, environment)
        return restored.model_copy(
            update={"applied": "restart", "pid": up.pid, "ready": up.ready, "previous": previous}
        )

    async def _undo(
        self, cause: BuddyError, name: str, before: Files, environment: Mapping[str, str]
    ) -> NoReturn:
        """Put the old files back and start the gateway with them; then say what has happened."""
        await self.progress.line(cause.message)
        await self.progress.stage("undoing", 60)
        steps: list[Callable[[], Awaitable[object]]] = [
            lambda: self._end(force=True),
            lambda: self._write(before),
            lambda: self._start(environment),
        ]
        trouble = " ".join(filter(None, [await self._trouble_with(step) for step in steps]))
        outcome = f"To undo it failed, too: {trouble}" if trouble else "Everything is as before."
        raise ConfigUndoneError(
            f"The gateway does not run with {name}: {cause.message} {outcome}", cause=cause.error
        ) from cause

    async def _walk_back(
        self,
        late: _Late | None,
        contents: Mapping[str, bytes],
        before: Files,
        environment: Mapping[str, str],
    ) -> None:
        """Put the old files back and have the gateway run on them, within a bound; it never fails.

        `late` is None where the old gateway may not have ended yet.
        """
        progress = self.progress
        progress.is_cut_off()
        progress.left = "Whether openclaw.json is as before, and the gateway runs, was not looked at."
        try:
            async with asyncio.timeout(TAKE_BACK_SECONDS):
                await progress.stage("undoing", 60)
                # nothing calls back one that drains; there is no time for its chats where the worker stops
                force = late is not None or progress.stopping
                trouble = await self._trouble_with(lambda: self._end(force=force))
                old = (late or await self._look_again(contents, before)).before
                failed = await self._trouble_with(lambda: self._write(old))
                files = f"openclaw.json could not be put back: {failed}" if failed else f"{AS_BEFORE}."
                progress.left = f"{files} {trouble or await self._run_again(environment)}"
        except TimeoutError:
            progress.left += f" To undo it was not done after {TAKE_BACK_SECONDS:.0f} s."
        except Exception:  # a bug here must not hide how the job ended
            log.exception("way_back_crashed")

    async def _run_again(self, environment: Mapping[str, str]) -> str:
        """Start the gateway, and see it up where there is time for that; return how it is, for people."""
        try:
            if not self.progress.stopping:
                up = await self._start(environment)
                return f"The gateway runs on it again (pid {up.pid})."
            process = await self.gateway.start(environment, lock_descriptors=self.lock_descriptors)
        except BuddyError as exc:
            return f"The gateway did not come up on it again: {exc.message}"
        return f"The gateway was started on it (pid {process.pid}); whether it came up was not looked at."

    async def _trouble_with(self, step: Callable[[], Awaitable[object]]) -> str:
        """Take a step of the way back; return what went wrong with it."""
        try:
            await step()
        except BuddyError as exc:
            return exc.message
        return ""

    async def _end(self, *, force: bool) -> None:
        await end_gateway(
            self.gateway,
            self.host,
            progress=self.progress,
            drain_seconds=self.patience.drain_seconds,
            force=force,
        )

    async def _write(self, contents: Files) -> None:
        """Replace the files; whoever is cancelled meanwhile may put the old ones back at once."""
        await to_its_end(asyncio.to_thread(self.files.write, contents))

    async def _start(self, environment: Mapping[str, str]) -> GatewayStarted:
        return await bring_up(
            self.gateway,
            self.host,
            progress=self.progress,
            patience=self.patience,
            environment=environment,
            lock_descriptors=self.lock_descriptors,
        )
