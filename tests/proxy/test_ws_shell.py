"""`/v1/ws/shell` through a real server; the worker's part is played by the repository."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from buddy_common.adapters.job_sender import JobSender
from buddy_common.adapters.task_stream import TaskStream
from buddy_common.db import events, task_claims, tasks
from buddy_common.db.engine import Database
from buddy_common.schemas.events import EventView
from buddy_common.schemas.jobs import job_kind
from buddy_common.schemas.tasks import TaskStatus, TaskView
from buddy_proxy import job_output
from eventually import eventually
from fakes.broker import BrokerServer
from proxy.conftest import Serve, Served
from proxy.socket_client import Typist, socket_to

OWNER = "here:1"


class PlayedWorker:
    """Takes jobs and says what came of them."""

    def __init__(self, database: Database, stream: TaskStream) -> None:
        self._database = database
        self._stream = stream

    async def listed(self) -> list[TaskView]:
        return await self._database.run(lambda session: tasks.listing(session, node="local"))

    async def take(self) -> str:
        (task,) = await eventually(self.listed, bool)
        row = await self._database.run(lambda s: tasks.view(s, task.id))
        assert row is not None
        kind = job_kind(f"buddy.{row.module}.{row.action}")
        assert kind is not None
        claimed = await self._database.run(lambda s: task_claims.claim(s, task.id, kind, owner=OWNER))
        assert claimed is not None
        await self._stream.append(task.id, [{"status": "Running"}])
        return task.id

    async def say(self, task_id: str, first_seq: int, *lines: str) -> None:
        await self._database.run(
            lambda s: tasks.add_output(s, task_id, first_seq=first_seq, lines=list(lines))
        )
        await self._stream.append(task_id, [{"line": line} for line in lines])

    async def stage(self, task_id: str, stage: str) -> None:
        await self._database.run(lambda s: task_claims.report(s, task_id, epoch=1, stage=stage))
        await self._stream.append(task_id, [{"stage": stage}])

    async def finish(self, task_id: str, status: TaskStatus, error: str | None = None) -> None:
        await self._database.run(
            lambda s: task_claims.finish(s, task_id, epoch=1, status=status, error=error)
        )
        await self._stream.append(task_id, [{"status": status}])

    async def asked_to_cancel(self) -> list[str]:
        return await self._database.run(lambda s: task_claims.to_cancel(s, owner=OWNER))


@pytest.fixture
def worker(proxy: Served, database: Database) -> PlayedWorker:
    return PlayedWorker(database, TaskStream(proxy.wiring.redis))


@pytest.fixture
async def shell(proxy: Served) -> AsyncIterator[Typist]:
    async with socket_to(proxy, "shell") as socket:
        typist = Typist(socket)
        await typist.until("buddy> ")
        yield typist


async def audit(database: Database) -> list[EventView]:
    return await database.run(lambda session: events.listing(session, node="local"))


async def test_a_command_runs_as_a_job_and_its_words_come_as_they_are_said(
    shell: Typist, worker: PlayedWorker, database: Database
) -> None:
    await shell.type("status\r")
    await shell.until("status\r\n")
    task_id = await worker.take()
    await shell.until(f"Run command: {task_id}\r\n")

    await worker.stage(task_id, "running")
    await shell.until("[running]\r\n")
    await worker.say(task_id, 0, "one", "two")
    assert await shell.until("two\r\n") == "one\r\n"
    await worker.say(task_id, 2, *(f"line {number}" for number in range(1200)))
    await worker.finish(task_id, TaskStatus.COMPLETED)
    shown = (await shell.until("Completed.\r\nbuddy> ")).split("\r\n")

    assert shown == [*(f"line {number}" for number in range(1200)), ""]
    (event,) = await audit(database)
    assert (event.user, event.action, event.target, event.taskID) == ("admin", "run_shell", "status", task_id)
    assert event.address == "127.0.0.1"


async def test_a_job_that_fails_says_why(shell: Typist, worker: PlayedWorker) -> None:
    await shell.type("gateway restart\r")
    task_id = await worker.take()
    await worker.finish(task_id, TaskStatus.FAILED, "The port is taken.")

    await shell.until("Failed: The port is taken.\r\nbuddy> ")


async def test_anything_else_is_refused_with_the_list_and_written_down(
    shell: Typist, worker: PlayedWorker, database: Database
) -> None:
    await shell.type("cat /etc/passwd?token=hunter2hunter2\r")

    assert "gateway restart, plugins reload, backup, help, exit" in await shell.until(
        "\r\nbuddy> ", seconds=5
    )
    assert await worker.listed() == []
    (event,) = await audit(database)
    assert (event.action, event.status) == ("run_shell", "denied")
    assert event.target == "cat /etc/passwd?token=***"


async def test_help_lists_what_may_be_run(shell: Typist) -> None:
    await shell.type("help\r")
    assert "  plugins list\r\n" in await shell.until("  exit\r\nbuddy> ")


async def test_a_job_that_has_not_begun_is_cancelled_when_the_socket_closes(
    proxy: Served, worker: PlayedWorker
) -> None:
    async with socket_to(proxy, "shell") as socket:
        await Typist(socket).type("status\r")
        await eventually(worker.listed, bool)

    (task,) = await eventually(worker.listed, lambda found: found[0].status.is_final)
    assert task.status is TaskStatus.CANCELLED


async def test_the_worker_of_a_running_job_is_asked_to_end_it_when_the_socket_closes(
    proxy: Served, worker: PlayedWorker
) -> None:
    async with socket_to(proxy, "shell") as socket:
        await Typist(socket).type("status\r")
        task_id = await worker.take()

    assert await eventually(worker.asked_to_cancel, bool) == [task_id]


async def test_ctrl_c_cancels_the_job_and_drops_what_waits(shell: Typist, worker: PlayedWorker) -> None:
    await shell.type("status\rhealth\rversion\r")
    task_id = await worker.take()
    await shell.until(task_id)

    await shell.type("\x03")
    assert await eventually(worker.asked_to_cancel, bool) == [task_id]
    await worker.finish(task_id, TaskStatus.CANCELLED, "Cancelled.")

    await shell.until("Cancelled: Cancelled.\r\nbuddy> ")
    assert len(await worker.listed()) == 1


async def test_lines_that_come_together_run_one_after_the_other(shell: Typist, worker: PlayedWorker) -> None:
    await shell.type("status\nbackup\n")
    first = await worker.take()
    await worker.finish(first, TaskStatus.COMPLETED)

    await shell.until("Completed.\r\nbuddy> ")
    await shell.until("Back up config: ")
    assert [task.target for task in await worker.listed()] == ["openclaw.json", "status"]


async def test_too_many_lines_at_once_are_left_out_and_it_is_said(shell: Typist) -> None:
    await shell.type("status\n" + "health\n" * 30)
    await shell.until("commands wait already; this one was left out.")


@pytest.mark.parametrize("typed", ["exit\r", "\x04"])
async def test_the_shell_ends_when_it_is_told_to(typed: str, shell: Typist) -> None:
    await shell.type(typed)
    assert await shell.end() == (1000, "The shell has ended.")


async def test_without_the_broker_a_command_says_so_and_the_shell_goes_on(
    serve: Serve, own_broker: BrokerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = JobSender(own_broker.url)
    async with serve() as proxy, socket_to(proxy, "shell") as socket:
        typist = Typist(socket)
        monkeypatch.setattr(proxy.wiring.jobs, "_sender", sender)
        await asyncio.to_thread(own_broker.stop)
        await typist.type("status\r")
        await typist.until("the broker (Redis) did not answer", seconds=8)
        await typist.until("buddy> ")


async def test_without_the_stream_the_row_is_looked_at_by_the_clock(
    shell: Typist, worker: PlayedWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_output, "LOOK_SECONDS", 0.05)
    await shell.type("status\r")
    task_id = await worker.take()
    await worker._database.run(
        lambda s: task_claims.finish(s, task_id, epoch=1, status=TaskStatus.COMPLETED, error=None)
    )
    await shell.until("Completed.")
