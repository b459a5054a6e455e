"""Restoring a backup: the gateway runs on it afterwards, or everything is as before."""

import asyncio
import hashlib
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.config_history import ConfigHistory
from buddy_common.adapters.live_config import LiveConfig
from buddy_common.errors import (
    ConfigRejectedError,
    ConfigUndoneError,
    StateUnwritableError,
    UnknownBackupError,
)
from buddy_common.schemas.backups import Backup, BackupReason
from buddy_common.schemas.gateway import Desired
from buddy_common.usecases.follow_startup import Patience
from buddy_common.usecases.stop_gateway import end_gateway
from buddy_worker.usecases import restore_backup
from buddy_worker.usecases.restore_backup import BackupRestored, Restore
from common.usecases.host import Host, build_host
from fakes.openclaw_program import FakeOpenClaw
from fakes.progress import RecordingProgress

ROOT = "openclaw.json"

pytestmark = pytest.mark.timeout(60)  # most start two or three gateways


class Stages(RecordingProgress):
    """A Progress that tells when a stage is reached, of a job that may be cut off."""

    def __init__(self) -> None:
        super().__init__()
        self.stopping = False
        self.left: str | None = None
        self.reached: dict[str, asyncio.Event] = {}

    async def stage(self, name: str, percent: int) -> None:
        await super().stage(name, percent)
        self.reached.setdefault(name, asyncio.Event()).set()

    def is_cut_off(self) -> None:
        self.cut_off_at = self.stages[-1][0]

    async def until(self, name: str) -> None:
        async with asyncio.timeout(8):
            await self.reached.setdefault(name, asyncio.Event()).wait()


class FullDisk(LiveConfig):
    """Files that cannot be written but for the first part, until there is space again."""

    full = True

    def write(self, contents: Mapping[str, bytes | None]) -> None:
        if not self.full:
            return super().write(contents)
        self.full = False
        super().write({name: content for name, content in contents.items() if name != ROOT})
        raise StateUnwritableError("The disk is full.")


class CutAtTheFirst(LiveConfig):
    """Files whose first write is that of a job that is cut off meanwhile."""

    task: asyncio.Task[Any] | None = None

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(path)
        self.loop = loop

    def write(self, contents: Mapping[str, bytes | None]) -> None:
        super().write(contents)
        if self.task is not None:
            self.loop.call_soon_threadsafe(self.task.cancel)
            self.task = None


@dataclass
class Node:
    """A node with a fake gateway and a history."""

    fake: FakeOpenClaw
    host: Host
    history: ConfigHistory
    progress: Stages = field(default_factory=Stages)
    files: LiveConfig | None = None
    refuses: str | None = None
    checked: list[Mapping[str, bytes]] = field(default_factory=list)

    @property
    def content(self) -> bytes:
        return self.fake.config_file.read_bytes()

    async def keep(self, parts: Mapping[str, bytes] | None = None, **fake: Any) -> Backup:
        """Make a backup of a config that steers the fake; the file itself stays as it is."""
        config = {"gateway": {"mode": "local", "port": self.fake.port}, "fake": fake, "kept": True}
        return await self.add(json.dumps(config).encode(), parts or {}, reason=BackupReason.MANUAL)

    async def add(self, root: bytes, parts: Mapping[str, bytes], **options: Any) -> Backup:
        return await asyncio.to_thread(self.history.add, root, parts, **options)

    async def files_of(self, name: str | None) -> dict[str, bytes]:
        assert name is not None
        return (await asyncio.to_thread(self.history.get, name))[1]

    async def check(self, contents: Mapping[str, bytes]) -> None:
        self.checked.append(contents)
        if self.refuses is not None:
            raise ConfigRejectedError(self.refuses)

    async def restore(
        self, backup: Backup, *, again: bool = False, stall_seconds: float = 8
    ) -> BackupRestored:
        restore = Restore(
            self.host.gateway,
            self.host.state,
            files=self.files or LiveConfig(self.fake.config_file),
            history=self.history,
            progress=self.progress,
            patience=Patience(8, stall_seconds, 8),
            check=self.check,
        )
        return await restore.run(backup.name, task_id="task-1", again=again)

    async def pid(self) -> int | None:
        found = await self.host.gateway.listener()
        return None if found is None else found.pid

    async def kept(self, reason: BackupReason) -> list[Backup]:
        return [backup for backup in await asyncio.to_thread(self.history.listing) if backup.reason is reason]


@pytest.fixture
def node(fake_openclaw: FakeOpenClaw, tmp_path: Path) -> Node:
    return Node(
        fake_openclaw, build_host(fake_openclaw, tmp_path), ConfigHistory(tmp_path / "backups", keep=9)
    )


async def test_a_running_gateway_runs_on_the_backup_afterwards(node: Node) -> None:
    old, before = await node.host.start(), node.content
    backup = await node.keep()

    restored = await node.restore(backup)

    assert restored == BackupRestored(
        name=backup.name,
        hash=backup.hash,
        previous=(await node.kept(BackupReason.BEFORE_RESTORE))[0].name,
        applied="restart",
        pid=await node.pid(),
        ready=True,
    )
    assert restored.pid != old.pid
    assert node.content == (await node.files_of(backup.name))[ROOT] == node.checked[0][ROOT]
    assert await node.files_of(restored.previous) == {ROOT: before}


async def test_a_backup_that_was_just_restored_is_not_known_to_be_good_yet(node: Node) -> None:
    """A rollback would stop at it, and never reach the one that is."""
    await node.host.start()
    good = await node.add(node.content, {}, reason=BackupReason.KNOWN_GOOD)

    restored = await node.restore(await node.keep(failing=["telegram"]))

    assert restored.ready is False
    assert await node.kept(BackupReason.KNOWN_GOOD) == [good]


async def test_what_was_there_is_kept_under_the_hash_that_clients_know(node: Node) -> None:
    backup = await node.keep({"new.json": b"{}"})
    node.fake.config_file.with_name("new.json").write_bytes(b"{no: 1}")
    seen = hashlib.sha256(node.content).hexdigest()

    previous = (await node.restore(backup)).previous

    assert set(await node.files_of(previous)) == {ROOT, "new.json"}
    kept = await asyncio.to_thread(node.history.with_hash, seen)
    assert kept is not None
    assert kept[0].name == previous


async def test_what_is_wanted_of_the_gateway_stays_as_it_was(node: Node) -> None:
    await node.host.start()
    await node.host.state.set_desired(Desired.STOPPED)

    await node.restore(await node.keep())

    assert await node.pid() is not None
    assert await node.host.state.desired() is Desired.STOPPED


async def test_a_gateway_that_is_down_stays_down_and_takes_it_at_its_next_start(node: Node) -> None:
    await node.host.state.set_desired(Desired.RUNNING)
    backup = await node.keep()

    restored = await node.restore(backup)

    assert (restored.applied, restored.pid) == ("next start", None)
    assert node.content == (await node.files_of(backup.name))[ROOT]
    assert await node.pid() is None
    assert node.progress.stages[-1] == ("restored", 100)
    assert await node.kept(BackupReason.KNOWN_GOOD) == []


async def test_a_broken_or_missing_file_is_no_obstacle(node: Node) -> None:
    backup = await node.keep()
    node.fake.config_file.write_bytes(b"{broken")
    assert (await node.restore(backup)).previous is not None

    node.fake.config_file.unlink()
    node.history = ConfigHistory(node.fake.config_dir / "other", keep=9)
    backup = await node.keep()
    assert (await node.restore(backup)).previous is None
    assert node.content == (await node.files_of(backup.name))[ROOT]


async def test_a_backup_that_openclaw_does_not_take_changes_nothing(node: Node) -> None:
    pid, before = (await node.host.start()).pid, node.content
    node.refuses = "fake: Unrecognized key"

    with pytest.raises(ConfigRejectedError, match="Unrecognized key"):
        await node.restore(await node.keep())

    assert node.content == before
    assert await node.pid() == pid


async def test_an_unknown_backup_changes_nothing(node: Node) -> None:
    before = node.content
    with pytest.raises(UnknownBackupError):
        await node.restore(
            (await node.keep()).model_copy(update={"name": "openclaw-20260328-100000-1a2b3c4d.bak"})
        )
    assert node.content == before


async def test_a_backup_that_the_gateway_does_not_come_up_with_is_undone(node: Node) -> None:
    old, before = (await node.host.start()).pid, node.content

    with pytest.raises(ConfigUndoneError, match="does not like it") as failure:
        await node.restore(await node.keep(exit=78, say="does not like it"))

    assert "Everything is as before." in failure.value.message
    assert failure.value.detail == {"cause": "gateway_start_failed"}
    assert node.content == before
    assert await node.pid() not in (None, old)
    assert await node.kept(BackupReason.KNOWN_GOOD) == []


async def test_a_gateway_that_does_not_get_ready_is_ended_and_the_old_one_started(node: Node) -> None:
    await node.host.start()
    before = node.content

    with pytest.raises(ConfigUndoneError):
        await node.restore(await node.keep(ready_after=60), stall_seconds=1.5)

    assert node.content == before
    assert (await node.host.gateway.probe()).ready


async def test_a_backup_whose_port_is_taken_is_undone(node: Node) -> None:
    await node.host.start()
    before = node.content
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = {"gateway": {"mode": "local", "port": other.getsockname()[1]}}
        backup = await node.add(json.dumps(taken).encode(), {}, reason=BackupReason.MANUAL)

        with pytest.raises(ConfigUndoneError, match=r"is taken by .* Everything is as before"):
            await node.restore(backup)

    assert node.content == before
    assert (await node.host.gateway.probe()).ready


async def test_an_undo_that_fails_says_so_and_has_put_the_files_back(node: Node) -> None:
    await node.host.start()
    node.fake.configure(exit=1, say="it was broken before, too")
    before = node.content

    with pytest.raises(ConfigUndoneError, match=r"To undo it failed, too: .*broken before"):
        await node.restore(await node.keep(exit=78, say="does not like it"))

    assert node.content == before


@pytest.mark.parametrize("up", [True, False])
async def test_a_full_disk_is_told_and_no_file_is_half_new(node: Node, up: bool) -> None:  # noqa: FBT001 - a parameter
    if up:
        await node.host.start()
    part = node.fake.config_dir / "a.json"
    part.write_bytes(b"old")
    before, backup = node.content, await node.keep({"a.json": b"new", "b.json": b"new"})
    node.files = FullDisk(node.fake.config_file)

    with pytest.raises(ConfigUndoneError if up else StateUnwritableError, match="disk is full"):
        await node.restore(backup)

    assert (node.content, part.read_bytes()) == (before, b"old")
    assert not (node.fake.config_dir / "b.json").exists()
    assert (await node.pid() is not None) is up


async def test_parts_are_restored_with_the_root(node: Node) -> None:
    part = node.fake.config_dir / "a.json"
    part.write_bytes(b"old")

    restored = await node.restore(await node.keep({"a.json": b"new"}))

    assert part.read_bytes() == b"new"
    assert (await node.files_of(restored.previous))["a.json"] == b"old"


async def test_parts_may_be_named_by_their_whole_path(node: Node) -> None:
    part = node.fake.config_dir / "a.json"

    await node.restore(await node.keep({str(part): b"new"}))

    assert part.read_bytes() == b"new"
    assert sorted(node.checked[0]) == ["a.json", ROOT]


async def cancelled_at(node: Node, stage: str, backup: Backup) -> None:
    """Restore a backup, and cancel that at a stage."""
    running = asyncio.create_task(node.restore(backup))
    await node.progress.until(stage)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert node.progress.cut_off_at == stage


async def test_who_is_cancelled_during_the_start_leaves_a_gateway_on_the_old_file(node: Node) -> None:
    old, before = (await node.host.start()).pid, node.content

    await cancelled_at(node, "starting", await node.keep(listen_after=60))

    assert node.content == before
    assert (await node.host.gateway.probe()).ready
    pid = await node.pid()
    assert pid != old
    assert node.progress.left == (f"openclaw.json is as before. The gateway runs on it again (pid {pid}).")


async def test_who_is_cancelled_while_the_gateway_ends_leaves_one_that_runs(node: Node) -> None:
    node.fake.configure(drain=1)
    old, before = (await node.host.start()).pid, node.content

    await cancelled_at(node, "stopping", await node.keep())

    assert node.content == before
    assert (await node.host.gateway.probe()).ready
    assert await node.pid() != old
    assert "The gateway runs on it again" in str(node.progress.left)


async def test_a_worker_that_stops_launches_the_gateway_on_the_old_file_and_does_not_wait(node: Node) -> None:
    await node.host.start()
    before, node.progress.stopping = node.content, True

    await cancelled_at(node, "starting", await node.keep(listen_after=60))

    assert node.content == before
    started = await node.host.state.spawned()
    assert started is not None
    assert node.progress.left == (
        f"openclaw.json is as before. The gateway was started on it (pid {started.pid});"
        " whether it came up was not looked at."
    )


async def test_a_way_back_that_fails_says_what_stands(node: Node) -> None:
    await node.host.start()
    node.fake.configure(exit=1, say="it was broken before, too")
    before = node.content

    await cancelled_at(node, "starting", await node.keep(listen_after=60))

    assert node.content == before
    assert str(node.progress.left).startswith(
        "openclaw.json is as before. The gateway did not come up on it again:"
    )


async def test_a_way_back_that_takes_too_long_is_given_up(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node.host.start()
    monkeypatch.setattr(restore_backup, "TAKE_BACK_SECONDS", 0)

    await cancelled_at(node, "starting", await node.keep(listen_after=60))

    assert "To undo it was not done after 0 s." in str(node.progress.left)


async def test_a_way_back_that_crashes_still_says_that_nobody_has_looked(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node.host.start()
    backup = await node.keep(listen_after=60)

    async def crash(*_: Any) -> str:
        raise RuntimeError

    monkeypatch.setattr(Restore, "_run_again", crash)
    await cancelled_at(node, "starting", backup)

    assert "was not looked at" in str(node.progress.left)


async def test_without_a_gateway_a_cut_leaves_the_old_file_and_says_so(node: Node) -> None:
    before, backup = node.content, await node.keep()
    node.files = CutAtTheFirst(node.fake.config_file, asyncio.get_running_loop())
    node.files.task = asyncio.create_task(node.restore(backup))

    with pytest.raises(asyncio.CancelledError):
        await node.files.task

    assert node.content == before
    assert node.progress.left == "openclaw.json is as before."


async def test_edits_from_while_the_gateway_ended_outlive_a_cut(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node.host.start()
    edited = edit_at_the_end(node, monkeypatch)

    await cancelled_at(node, "starting", await node.keep(listen_after=60))

    assert node.content == edited


async def test_a_second_attempt_starts_the_gateway_that_the_first_has_stopped(node: Node) -> None:
    await node.host.state.set_desired(Desired.RUNNING)
    first = await node.add(node.content, {}, reason=BackupReason.BEFORE_RESTORE, task_id="task-1")
    backup = await node.keep()
    node.fake.config_file.write_bytes((await node.files_of(backup.name))[ROOT])

    restored = await node.restore(backup, again=True)

    assert (restored.applied, restored.previous) == ("restart", first.name)
    assert await node.pid() == restored.pid


async def test_a_second_attempt_undoes_to_what_was_there_before_the_first(node: Node) -> None:
    await node.host.state.set_desired(Desired.RUNNING)
    before = node.content
    await node.add(before, {}, reason=BackupReason.BEFORE_RESTORE, task_id="task-1")
    backup = await node.keep({"a.json": b"new"}, exit=78)
    (node.fake.config_dir / "a.json").write_bytes(b"new")  # the first attempt came to this

    with pytest.raises(ConfigUndoneError):
        await node.restore(backup, again=True)

    assert node.content == before
    assert not (node.fake.config_dir / "a.json").exists()


def edit_at_the_end(node: Node, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Have somebody edit the config while the gateway ends; return what it is then."""
    edited = json.dumps(json.loads(node.content) | {"edited": True}).encode()

    async def end_late(*given: Any, force: bool, **options: Any) -> None:
        await end_gateway(*given, force=force, **options)
        if not force:
            await asyncio.to_thread(node.fake.config_file.write_bytes, edited)

    monkeypatch.setattr(restore_backup, "end_gateway", end_late)
    return edited


async def test_what_was_edited_while_the_gateway_ended_is_kept_too(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node.host.start()
    before, backup = node.content, await node.keep()
    edited = edit_at_the_end(node, monkeypatch)

    restored = await node.restore(backup)

    kept = [await node.files_of(copy.name) for copy in await node.kept(BackupReason.BEFORE_RESTORE)]
    assert kept == [{ROOT: edited}, {ROOT: before}]
    assert await node.files_of(restored.previous) == {ROOT: edited}
    assert node.content == (await node.files_of(backup.name))[ROOT]


async def test_an_undo_puts_back_what_was_edited_while_the_gateway_ended(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node.host.start()
    backup = await node.keep(exit=78, say="does not like it")
    edited = edit_at_the_end(node, monkeypatch)

    with pytest.raises(ConfigUndoneError, match="Everything is as before"):
        await node.restore(backup)

    assert node.content == edited


async def test_a_late_copy_that_cannot_be_kept_brings_the_gateway_back(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node.host.start()
    backup, add = await node.keep(), node.history.add
    edited = edit_at_the_end(node, monkeypatch)

    def full(root: bytes, *given: Any, **options: Any) -> Backup:
        if root == edited:
            raise StateUnwritableError("The disk is full.")
        return add(root, *given, **options)

    monkeypatch.setattr(node.history, "add", full)
    with pytest.raises(ConfigUndoneError, match="disk is full"):
        await node.restore(backup)

    assert node.content == edited
    assert await node.pid() is not None
