"""What dead workers leave is ended or repeated; what the living do is left alone."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from sqlmodel import Session

from buddy_common.adapters import processes
from buddy_common.adapters.child_process import run_child
from buddy_common.adapters.plugin_note import PluginNote
from buddy_common.adapters.presence import EXPIRY_SECONDS
from buddy_common.db import events, task_claims
from buddy_common.db.tables import TaskRow
from buddy_common.errors import UnknownBackupError
from buddy_common.schemas.backup_jobs import RestoreBackupJob
from buddy_common.schemas.backups import BackupReason
from buddy_common.schemas.gateway_jobs import RestartGatewayJob
from buddy_common.schemas.job import Job, Lane
from buddy_common.schemas.plugin_jobs import InstallPluginJob, SetPluginJob
from buddy_common.schemas.processes import ProcessIdentity
from buddy_common.schemas.tasks import TaskStatus
from buddy_worker import reap
from buddy_worker.owner import Owner
from buddy_worker.reap import REPEAT_WITHIN, Reaper
from buddy_worker.sweep import SWEEP_SECONDS
from buddy_worker.wiring import Wiring
from fakes.openclaw_program import FakeOpenClaw
from worker.queued import ago, queue, row, view

INSTALL = InstallPluginJob(spec="x")
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""


def dead_worker(w: Wiring) -> Owner:
    """A process that had our pid before us."""
    return replace(w.owner, started=w.owner.started - 1)


async def claimed(w: Wiring, job: Job, *, owner: Owner, **changes: object) -> str:
    """Write a Running task as a worker leaves it that is killed."""
    task_id = await queue(w, job)
    await w.database.run(lambda s: task_claims.claim(s, task_id, type(job), owner=str(owner)))
    await w.database.run(lambda s: task_claims.report(s, task_id, epoch=1, **changes) if changes else None)
    return task_id


async def test_the_task_of_a_dead_worker_is_interrupted(w: Wiring) -> None:
    task_id = await claimed(w, INSTALL, owner=dead_worker(w))

    await Reaper(w).reap()

    task = await view(w, task_id)
    assert (task.status, task.errorCode) == (TaskStatus.INTERRUPTED, "interrupted")
    assert task.endTime is not None


async def test_a_repeatable_one_is_queued_once_more_and_not_a_third_time(w: Wiring) -> None:
    task_id = await claimed(w, RestartGatewayJob(), owner=dead_worker(w))

    await Reaper(w).reap()
    assert ((await row(w, task_id)).status, (await row(w, task_id)).message_at) == ("Queued", None)

    again = await w.database.run(
        lambda s: task_claims.claim(s, task_id, RestartGatewayJob, owner=str(dead_worker(w)))
    )
    assert again is not None
    assert again.epoch == 2
    await Reaper(w).reap()
    assert (await view(w, task_id)).status is TaskStatus.INTERRUPTED


async def test_one_that_somebody_wanted_cancelled_is_not_repeated(w: Wiring) -> None:
    task_id = await claimed(w, RestartGatewayJob(), owner=dead_worker(w), stage="draining")
    await w.database.run(lambda s: task_claims.ask_to_cancel(s, task_id))

    await Reaper(w).reap()

    task = await view(w, task_id)
    assert (task.status, task.error) == (TaskStatus.CANCELLED, "Cancelled while: draining.")


async def test_a_cancel_that_comes_while_its_program_is_ended_is_honoured(
    w: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = ProcessIdentity(w.owner.pid, w.owner.started - 1, "keeper")
    task_id = await claimed(w, RestartGatewayJob(), owner=dead_worker(w), process=processes.to_record(gone))

    def end(_process: ProcessIdentity, *, seconds: float) -> bool:
        w.database.call(lambda session: task_claims.ask_to_cancel(session, task_id))
        return seconds > 0

    monkeypatch.setattr(reap, "end_process_group", end)
    await Reaper(w).reap()

    assert (await view(w, task_id)).status is TaskStatus.CANCELLED


async def test_one_that_began_long_ago_is_not_repeated(w: Wiring) -> None:
    long_ago = ago(REPEAT_WITHIN.total_seconds() + 60)
    task_id = await claimed(w, RestartGatewayJob(), owner=dead_worker(w), started_at=long_ago)

    await Reaper(w).reap()

    assert (await view(w, task_id)).status is TaskStatus.INTERRUPTED


async def test_the_task_of_a_living_worker_is_left_alone(w: Wiring) -> None:
    async with asyncio.timeout(9):
        other = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
        identity = await asyncio.to_thread(processes.identify, other.pid)
        assert identity is not None
        living = replace(w.owner, pid=identity.pid, started=identity.started)
        task_id = await claimed(w, INSTALL, owner=living)

        await Reaper(w).reap()
        assert (await view(w, task_id)).status is TaskStatus.RUNNING

        other.kill()
        await other.wait()
        await Reaper(w).reap()
        assert (await view(w, task_id)).status is TaskStatus.INTERRUPTED


async def test_many_reapers_at_once_end_a_task_once(w: Wiring) -> None:
    task_id = await claimed(w, RestartGatewayJob(), owner=dead_worker(w))

    await asyncio.gather(*(Reaper(w).reap() for _ in range(5)))

    assert (await row(w, task_id)).status == "Queued"
    assert len(await w.redis.xrange(f"buddy:task:{task_id}") or []) == 1


async def test_a_claim_of_this_process_that_it_has_not_in_hand_ends_at_the_second_look(w: Wiring) -> None:
    """Its outcome could not be written. At the first look, the job may just be about to start."""
    task_id = await claimed(w, INSTALL, owner=w.owner)
    reaper = Reaper(w)

    await reaper.reap()
    assert (await view(w, task_id)).status is TaskStatus.RUNNING

    await reaper.reap()
    assert (await view(w, task_id)).status is TaskStatus.INTERRUPTED


@pytest.fixture
async def program(tmp_path: Path) -> AsyncIterator[ProcessIdentity]:
    """A program of a job that will not end, under a keeper of its own."""
    found: asyncio.Future[ProcessIdentity] = asyncio.get_running_loop().create_future()
    up = asyncio.Event()

    async def on_started(process: ProcessIdentity) -> None:
        found.set_result(process)

    async def on_line(_line: str, _stream: str) -> None:
        up.set()

    running = asyncio.create_task(
        run_child(
            [sys.executable, "-c", STUBBORN],
            environment={},
            cwd=tmp_path,
            on_started=on_started,
            on_line=on_line,
            stop_seconds=0.5,
        )
    )
    async with asyncio.timeout(9):
        await up.wait()
        yield await found
        running.cancel()
        await asyncio.wait([running])


async def test_what_the_dead_worker_had_started_is_ended_first(
    w: Wiring, program: ProcessIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reap, "END_SECONDS", 3.0)
    children = await asyncio.to_thread(lambda: psutil.Process(program.pid).children(recursive=True))
    assert children
    task_id = await claimed(w, INSTALL, owner=dead_worker(w), process=processes.to_record(program))

    await Reaper(w).reap()

    assert (await view(w, task_id)).status is TaskStatus.INTERRUPTED
    assert not await asyncio.to_thread(lambda: [child for child in children if child.is_running()])


@pytest.mark.parametrize("name", ["settle_if_free", "what_is_there"])
async def test_a_change_that_cannot_be_settled_keeps_no_task_running(
    name: str, w: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise UnknownBackupError("openclaw-20260328-100000-1a2b3c4d.bak")

    monkeypatch.setattr(reap, name, fail)
    task_id = await claimed(w, INSTALL, owner=dead_worker(w))

    await Reaper(w).reap()

    assert (await view(w, task_id)).status is TaskStatus.INTERRUPTED


async def test_a_program_that_cannot_be_ended_keeps_its_task_running(
    w: Wiring, program: ProcessIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reap, "end_process_group", lambda _process, *, seconds: seconds < 0)
    task_id = await claimed(w, INSTALL, owner=dead_worker(w), process=processes.to_record(program))

    await Reaper(w).reap()

    assert (await view(w, task_id)).status is TaskStatus.RUNNING


async def test_one_task_that_cannot_be_reaped_keeps_no_other_waiting(
    w: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = processes.to_record(ProcessIdentity(w.owner.pid, w.owner.started - 1, "keeper"))
    bad = await claimed(w, INSTALL, owner=dead_worker(w), process=gone)
    good = await claimed(w, INSTALL, owner=dead_worker(w))

    def refuse(_process: ProcessIdentity, *, seconds: float) -> bool:
        raise PermissionError(seconds)

    monkeypatch.setattr(reap, "end_process_group", refuse)
    await Reaper(w).reap()

    assert (await view(w, good)).status is TaskStatus.INTERRUPTED
    assert (await view(w, bad)).status is TaskStatus.RUNNING


def test_a_worker_that_is_only_known_by_its_beats_is_reaped_in_time() -> None:
    assert EXPIRY_SECONDS + reap.SILENT_SECONDS + SWEEP_SECONDS < 15


async def test_a_worker_of_another_container_is_dead_when_it_falls_silent(
    w: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reap, "SILENT_SECONDS", 0.0)
    elsewhere = replace(w.owner, namespace="elsewhere")
    task_id = await claimed(w, INSTALL, owner=elsewhere)
    await w.presence.beat("local", Lane.SLOW, str(elsewhere))
    reaper = Reaper(w)

    await reaper.reap()  # our own beat is not there: nobody's silence means anything
    await w.presence.beat("local", Lane.FAST, str(w.owner))
    await reaper.reap()  # it beats
    assert (await view(w, task_id)).status is TaskStatus.RUNNING

    await w.presence.leave("local", Lane.SLOW, str(elsewhere))
    await reaper.reap()
    assert (await view(w, task_id)).status is TaskStatus.INTERRUPTED


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (None, "openclaw.json was not written: it is as it was before."),
        (b"", "openclaw.json is as it was before."),
        (b"{}", "openclaw.json holds the change"),
    ],
)
async def test_the_row_of_a_change_that_broke_off_says_which_config_is_there(
    written: bytes | None, says: str, w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    task_id = await claimed(w, SetPluginJob(id="voice", enabled=True), owner=dead_worker(w))
    path = await asyncio.to_thread(w.host.config_files.real_path)
    if written is not None:
        old = fake_openclaw.config_file.read_bytes()
        await asyncio.to_thread(w.host.journal.begin, task_id, backup="none", files={path: old})
        fake_openclaw.config_file.write_bytes(written or old)

    await Reaper(w).reap()

    task = await view(w, task_id)
    assert task.status is TaskStatus.INTERRUPTED
    assert task.error is not None
    assert says in task.error
    newest = (await w.database.run(events.listing))[0]
    assert newest.detail == task.error


@pytest.mark.parametrize(
    "job", [RestartGatewayJob(), RestoreBackupJob(name=f"openclaw-{'0' * 8}-000000-{'0' * 8}.bak")]
)
async def test_a_job_that_notes_nothing_claims_nothing_of_the_config(job: Job, w: Wiring) -> None:
    task_id = await claimed(w, job, owner=dead_worker(w))
    await w.database.run(lambda session: _age(session, task_id))

    await Reaper(w).reap()

    task = await view(w, task_id)
    assert task.status is TaskStatus.INTERRUPTED
    assert "openclaw.json" not in (task.error or "")


def _age(session: Session, task_id: str) -> None:
    """Make it too old to be repeated."""
    found = session.get(TaskRow, task_id)
    assert found is not None
    found.started_at = ago(2 * REPEAT_WITHIN.total_seconds())
    session.add(found)


async def test_the_plugin_that_a_dead_worker_had_taken_away_is_back_and_the_row_says_so(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    task_id = await claimed(w, INSTALL, owner=dead_worker(w))
    host, folder = w.host, fake_openclaw.config_dir / "extensions" / "voice"
    folder.mkdir(parents=True)
    (folder / "index.js").write_text("1.0")
    await asyncio.to_thread(host.plugin_folders.keep, "voice")
    state = await asyncio.to_thread(host.config_files.read)
    backup = await asyncio.to_thread(
        host.history.add, state.files[state.root], {}, reason=BackupReason.BEFORE_CHANGE
    )
    note = PluginNote(task_id, "voice", "1.0", "voice", backup.name, is_local=True)
    await asyncio.to_thread(host.plugin_journal.begin, note)
    (folder / "index.js").unlink()

    await Reaper(w).reap()

    assert "Plugin voice 1.0 and what belongs to it in openclaw.json are as before." in str(
        (await view(w, task_id)).error
    )
    assert (folder / "index.js").read_text() == "1.0"
