"""A restore that is cut off or tried again, and edits that come between."""

import asyncio
import json
from typing import Any

import pytest

from buddy_common.errors import (
    ConfigUndoneError,
    StateUnwritableError,
)
from buddy_common.schemas.backups import Backup, BackupReason
from buddy_common.schemas.gateway import Desired
from buddy_common.usecases.stop_gateway import end_gateway
from buddy_worker.usecases import restore_backup
from buddy_worker.usecases.restore_backup import Restore
from worker.restoring.scene import ROOT, CutAtTheFirst, Node

pytestmark = pytest.mark.timeout(60)  # most start two or three gateways


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
