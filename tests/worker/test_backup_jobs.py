"""Jobs of backups from their row to their outcome, with OpenClaw's word on the config in between."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.schemas.backup_jobs import MakeBackupJob, RestoreBackupJob
from buddy_common.schemas.backups import Backup, BackupReason
from buddy_common.schemas.job import Job, NodeLock
from buddy_common.schemas.tasks import TaskStatus, TaskView
from buddy_worker.runner import execute
from buddy_worker.tasks import backups as tasks
from buddy_worker.usecases.make_backup import make_backup
from buddy_worker.wiring import Wiring
from fakes.openclaw_program import FakeOpenClaw
from worker.queued import is_free, queue, view

ROOT = "openclaw.json"
HANDLERS: dict[type[Job], Any] = {MakeBackupJob: tasks._make, RestoreBackupJob: tasks._restore}

pytestmark = pytest.mark.timeout(60)


async def run(w: Wiring, job: Job) -> TaskView:
    task_id = await queue(w, job)
    await execute(w, task_id, type(job), HANDLERS[type(job)])
    return await view(w, task_id)


async def keep(host: HostPlane, root: bytes, **parts: bytes) -> Backup:
    named = {name.replace("_", "."): content for name, content in parts.items()}
    return await asyncio.to_thread(host.history.add, root, named, reason=BackupReason.MANUAL)


def config(fake: FakeOpenClaw, **settings: Any) -> bytes:
    return json.dumps({"gateway": {"mode": "local", "port": fake.port}, "fake": settings}).encode()


async def test_a_backup_is_made_when_somebody_asks(w: Wiring, fake_openclaw: FakeOpenClaw) -> None:
    task = await run(w, MakeBackupJob())

    assert task.status is TaskStatus.COMPLETED, task
    assert task.result is not None
    made, contents = await asyncio.to_thread(w.host.history.get, task.result["name"])
    assert contents == {ROOT: fake_openclaw.config_file.read_bytes()}
    assert (made.reason, made.task_id) == (BackupReason.MANUAL, task.id)
    assert task.result == {"name": made.name, "hash": made.hash, "size": made.size, "files": [ROOT]}


async def test_identical_content_is_backed_up_again_but_not_by_the_same_task(w: Wiring) -> None:
    host = w.host
    names = [
        (await asyncio.to_thread(make_backup, host.live_config, host.history, task_id=task)).name
        for task in ("task-1", "task-2", "task-1")
    ]

    assert names[0] == names[2] != names[1]


async def test_without_a_config_there_is_nothing_to_back_up(w: Wiring, fake_openclaw: FakeOpenClaw) -> None:
    fake_openclaw.config_file.unlink()

    task = await run(w, MakeBackupJob())

    assert (task.status, task.errorCode) == (TaskStatus.FAILED, "no_config")


async def test_a_backup_that_openclaw_takes_is_restored(w: Wiring, fake_openclaw: FakeOpenClaw) -> None:
    root = config(fake_openclaw, ready_after=0.2)
    backup = await keep(w.host, root, a_json=b"{}")

    task = await run(w, RestoreBackupJob(name=backup.name))

    assert task.status is TaskStatus.COMPLETED, task
    assert task.result is not None
    assert (task.result["applied"], task.result["hash"]) == ("next start", backup.hash)
    assert fake_openclaw.config_file.read_bytes() == root
    assert (fake_openclaw.config_dir / "a.json").read_bytes() == b"{}"
    assert not await asyncio.to_thread(w.host.check_folder.exists)
    assert await is_free(w, NodeLock.CONFIG, NodeLock.LIFECYCLE)


@pytest.mark.parametrize(
    ("root", "says"),
    [(b"{broken", "JSON5 parse failed"), (b'{"fake": {"invalid": "no such key"}}', "no such")],
)
async def test_a_backup_that_openclaw_refuses_changes_nothing_and_its_reason_is_told(
    w: Wiring, fake_openclaw: FakeOpenClaw, root: bytes, says: str
) -> None:
    before = fake_openclaw.config_file.read_bytes()
    backup = await keep(w.host, root)

    task = await run(w, RestoreBackupJob(name=backup.name))

    assert (task.status, task.errorCode) == (TaskStatus.FAILED, "config_rejected")
    assert says in str(task.error)
    assert fake_openclaw.config_file.read_bytes() == before
    assert not await asyncio.to_thread(w.host.check_folder.exists)


async def test_an_unknown_backup_is_told(w: Wiring) -> None:
    task = await run(w, RestoreBackupJob(name="openclaw-20260328-100000-1a2b3c4d.bak"))

    assert (task.status, task.errorCode) == (TaskStatus.FAILED, "unknown_backup")


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("kill -9 $$", "openclaw_cli_failed"),
        ("exit 7", "openclaw_cli_failed"),
        ("echo no JSON", "openclaw_cli_failed"),
    ],
)
async def test_a_check_that_comes_to_no_result_is_no_refusal_and_changes_nothing(
    w: Wiring, fake_openclaw: FakeOpenClaw, script: str, code: str
) -> None:
    before = fake_openclaw.config_file.read_bytes()
    backup = await keep(w.host, config(fake_openclaw))
    version = "if [ $1 = --version ]; then echo OpenClaw 2026.9.6; exit; fi"
    fake_openclaw.program.write_text(f"#!/bin/sh\n{version}\n{script}\n")

    task = await run(w, RestoreBackupJob(name=backup.name))

    assert (task.status, task.errorCode) == (TaskStatus.FAILED, code), task
    assert fake_openclaw.config_file.read_bytes() == before


async def test_openclaw_sees_a_private_copy_of_all_files_and_what_it_warns_of_is_told(
    w: Wiring, fake_openclaw: FakeOpenClaw, tmp_path: Path
) -> None:
    rest = w.host.check_folder / "left.json"
    await asyncio.to_thread(rest.parent.mkdir, parents=True)
    await asyncio.to_thread(rest.write_text, "of a killed process")
    backup = await keep(w.host, config(fake_openclaw), a_json=b"part")
    fake_openclaw.program.write_text(f"""#!/bin/sh
if [ "$1" = --version ]; then echo "OpenClaw 2026.9.6"; exit; fi
cd "$(dirname "$OPENCLAW_CONFIG_PATH")" && ls -l >{tmp_path}/seen && cat a.json >>{tmp_path}/seen
echo "$OPENCLAW_INCLUDE_ROOTS" >>{tmp_path}/seen
echo '{{"valid": true, "warnings": [{{"path": "agents", "message": "Moved."}}, 5]}}'
""")

    task = await run(w, RestoreBackupJob(name=backup.name))

    assert task.status is TaskStatus.COMPLETED, task
    assert "OpenClaw warns: agents: Moved." in task.output
    seen = (tmp_path / "seen").read_text()
    assert [line.split()[0] for line in seen.splitlines() if line.startswith("-")] == ["-rw-------"] * 2
    assert "left.json" not in seen
    assert seen.endswith(f"part{fake_openclaw.config_dir}\n")
