"""Real worker processes under fire: no job is lost, none runs twice at once."""

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from buddy_common.db import task_claims
from buddy_common.schemas.gateway_jobs import RestartGatewayJob, StartGatewayJob
from buddy_common.schemas.job import Lane
from buddy_common.schemas.plugin_jobs import InstallPluginJob
from buddy_common.schemas.tasks import TaskStatus
from fakes.broker import BrokerServer
from fakes.openclaw_program import FakeOpenClaw
from worker.process import Worker, until

pytestmark = pytest.mark.timeout(60)

REAP_SECONDS = 15


def begun(fake: FakeOpenClaw, what: str) -> list[int]:
    return [pid for name, pid, _ in fake.process_log if name == what]


def never_two_at_once(fake: FakeOpenClaw, what: str) -> bool:
    """Whether each process ended before the next one began; one that was killed ends nowhere."""
    running: set[int] = set()
    for name, pid, _ in fake.process_log:
        if name == f"{what} begins":
            alive = {other for other in running if is_running(other)}
            if alive:
                return False
            running.add(pid)
        elif name == f"{what} ends":
            running.discard(pid)
    return True


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_lifecycle_job_whose_worker_is_killed_runs_once_more_and_keeps_the_gateway(
    worker: Worker, fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.configure(ready_after=3)
    task_id = worker.submit(StartGatewayJob())
    until(lambda: worker.view(task_id), lambda task: "Started the gateway" in " ".join(task.output))

    worker.kill()
    worker.spawn()

    task = worker.reaches(task_id, TaskStatus.COMPLETED, TaskStatus.FAILED)
    assert (task.status, task.attempts) == (TaskStatus.COMPLETED, 2)
    assert len(begun(fake_openclaw, "gateway begins")) == 1


def test_a_restart_whose_worker_is_killed_after_the_new_start_does_not_restart_again(
    worker: Worker, fake_openclaw: FakeOpenClaw
) -> None:
    worker.reaches(worker.submit(StartGatewayJob()), TaskStatus.COMPLETED)
    fake_openclaw.configure(ready_after=3)
    task_id = worker.submit(RestartGatewayJob())
    until(lambda: worker.view(task_id), lambda task: "Started the gateway" in " ".join(task.output))

    worker.kill()
    worker.spawn()

    task = worker.reaches(task_id, TaskStatus.COMPLETED, TaskStatus.FAILED)
    assert (task.status, task.attempts) == (TaskStatus.COMPLETED, 2)
    assert len(begun(fake_openclaw, "gateway begins")) == 2  # the first start, and one restart
    assert never_two_at_once(fake_openclaw, "gateway")


def test_an_install_whose_worker_is_killed_is_interrupted_in_time_and_its_program_is_gone(
    start_worker: Callable[[Lane], Worker], fake_openclaw: FakeOpenClaw, tmp_path: Path
) -> None:
    fake_openclaw.configure(install_waits_for=str(tmp_path / "never"))
    slow = start_worker(Lane.SLOW)
    fast = start_worker(Lane.FAST)
    task_id = slow.submit(InstallPluginJob(spec="x"))
    (program,) = until(lambda: begun(fake_openclaw, "install begins"), bool)

    slow.kill()
    killed_at = time.monotonic()
    task = fast.reaches(task_id, TaskStatus.INTERRUPTED)

    assert time.monotonic() - killed_at < REAP_SECONDS
    assert task.errorCode == "interrupted"
    assert not is_running(program)


def test_one_that_waits_keeps_no_lane_busy_and_installs_follow_one_another(
    start_worker: Callable[[Lane], Worker], fake_openclaw: FakeOpenClaw, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    fake_openclaw.configure(install_waits_for=str(gate))
    slow = start_worker(Lane.SLOW)
    ids = [slow.submit(InstallPluginJob(spec=f"plugin-{number}")) for number in range(8)]
    slow.reaches(ids[0], TaskStatus.RUNNING)
    for task_id in ids[1:]:  # more than the lane has threads
        until(partial(slow.view, task_id), lambda task: (task.stage or "").startswith("waiting for"))

    gate.touch()

    assert {slow.reaches(task_id, TaskStatus.COMPLETED).status for task_id in ids} == {TaskStatus.COMPLETED}
    assert len(begun(fake_openclaw, "install begins")) == len(ids)
    assert never_two_at_once(fake_openclaw, "install")
    ended = [slow.view(task_id).endTime for task_id in ids]
    assert ended == sorted(ended, key=str)


def test_a_row_without_a_message_is_run_all_the_same(worker: Worker) -> None:
    task_id = worker.add(StartGatewayJob())

    assert worker.reaches(task_id, TaskStatus.COMPLETED).attempts == 1


def test_a_broker_that_forgets_fifty_jobs_loses_none(
    worker: Worker, own_broker: BrokerServer, fake_openclaw: FakeOpenClaw
) -> None:
    worker.reaches(worker.submit(StartGatewayJob()), TaskStatus.COMPLETED)
    worker.process.send_signal(signal.SIGSTOP)  # so that they are all still queued
    ids = [worker.submit(StartGatewayJob()) for _ in range(50)]
    own_broker.flush()
    worker.process.send_signal(signal.SIGCONT)

    tasks = [worker.reaches(task_id, TaskStatus.COMPLETED, TaskStatus.FAILED) for task_id in ids]

    assert {(task.status, task.attempts) for task in tasks} == {(TaskStatus.COMPLETED, 1)}
    assert len(begun(fake_openclaw, "gateway begins")) == 1


def test_cancelling_ends_the_program_of_a_job(
    start_worker: Callable[[Lane], Worker], fake_openclaw: FakeOpenClaw, tmp_path: Path
) -> None:
    fake_openclaw.configure(install_waits_for=str(tmp_path / "never"))
    slow = start_worker(Lane.SLOW)
    task_id = slow.submit(InstallPluginJob(spec="x"))
    (program,) = until(lambda: begun(fake_openclaw, "install begins"), bool)

    slow.database.call(lambda session: task_claims.ask_to_cancel(session, task_id))

    assert slow.reaches(task_id, TaskStatus.CANCELLED).errorCode == "cancelled"
    assert not is_running(program)


def test_an_install_that_lies_is_no_success(
    start_worker: Callable[[Lane], Worker], fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.configure(install_lies=True)
    slow = start_worker(Lane.SLOW)

    task = slow.reaches(slow.submit(InstallPluginJob(spec="x")), TaskStatus.FAILED, TaskStatus.COMPLETED)

    assert (task.status, task.errorCode) == (TaskStatus.FAILED, "plugin_not_installed")
