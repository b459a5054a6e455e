"""Restoring a backup: the gateway runs on it afterwards, or everything is as before."""

import asyncio
import hashlib
import json
import socket

import pytest

from buddy_common.adapters.config_history import ConfigHistory
from buddy_common.errors import (
    ConfigRejectedError,
    ConfigUndoneError,
    StateUnwritableError,
    UnknownBackupError,
)
from buddy_common.schemas.backups import BackupReason
from buddy_common.schemas.gateway import Desired
from buddy_worker.usecases.restore_backup import BackupRestored
from worker.restoring.scene import ROOT, FullDisk, Node

pytestmark = pytest.mark.timeout(60)  # most start two or three gateways


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
