"""A real worker process: its life, its death, and a broker that goes away while it works."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from celery import Celery
from sqlmodel import Session

from buddy_common.db import nodes, tasks
from buddy_common.db.engine import Database, open_engine
from buddy_common.schemas.jobs import Job, JobMessage, Lane, StartGatewayJob, StopGatewayJob, queue_name
from buddy_common.schemas.tasks import TaskStatus, TaskView
from fakes.broker import BrokerServer
from fakes.openclaw_program import FakeOpenClaw

pytestmark = pytest.mark.timeout(60)

_Value = TypeVar("_Value")


class Worker:
    """A worker process on a broker of its own, and the sending side."""

    def __init__(self, environment: dict[str, str], database_url: str, broker_url: str) -> None:
        self._environment = environment
        self.database = Database(open_engine(database_url))
        self.producer = Celery("test", broker=broker_url, set_as_current=False)
        self.process = self._spawn()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "buddy_worker", "--lane", "fast"],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def submit(self, job: Job, *, copies: int = 1) -> str:
        def record(session: Session) -> str:
            return tasks.add(session, job, node="local", actor="admin").id

        task_id = self.database.call(record)
        for _ in range(copies):
            self.producer.send_task(
                job.task,
                kwargs=JobMessage(task_id=task_id).model_dump(),
                task_id=task_id,
                queue=queue_name("local", Lane.FAST),
                ignore_result=True,
            )
        return task_id

    def view(self, task_id: str) -> TaskView:
        found = self.database.call(lambda session: tasks.view(session, task_id))
        assert found is not None
        return found

    def reaches(self, task_id: str, *states: TaskStatus) -> TaskView:
        return until(lambda: self.view(task_id), lambda task: task.status in states)


def until(look: Callable[[], _Value], good: Callable[[_Value], bool], seconds: float = 40) -> _Value:
    deadline = time.monotonic() + seconds
    while not good(value := look()):
        assert time.monotonic() < deadline, value
        time.sleep(0.05)
    return value


@pytest.fixture
def worker(
    own_broker: BrokerServer, database_url: str, fake_openclaw: FakeOpenClaw, tmp_path: Path
) -> Iterator[Worker]:
    environment = os.environ | {
        "BUDDY_HOME": str(tmp_path / "buddy"),
        "BUDDY_REDIS_URL": own_broker.url,
        "BUDDY_DATABASE_URL": database_url,
        "BUDDY_OPENCLAW": str(fake_openclaw.program),
        "OPENCLAW_CONFIG_DIR": str(fake_openclaw.config_dir),
    }
    running = Worker(environment, database_url, own_broker.url)
    yield running
    running.process.kill()
    running.process.wait(timeout=10)
    running.producer.close()
    running.database.engine.dispose()


def test_it_registers_its_node_and_runs_jobs(worker: Worker) -> None:
    task = worker.reaches(worker.submit(StartGatewayJob()), TaskStatus.COMPLETED)

    assert task.result is not None
    assert task.result["alreadyRunning"] is False
    assert until(lambda: worker.database.call(nodes.names), bool) == ["local"]


def test_a_message_that_comes_three_times_starts_one_gateway(
    worker: Worker, fake_openclaw: FakeOpenClaw
) -> None:
    task = worker.reaches(worker.submit(StartGatewayJob(), copies=3), TaskStatus.COMPLETED)
    again = worker.reaches(worker.submit(StartGatewayJob()), TaskStatus.COMPLETED)

    assert task.result is not None
    assert again.result is not None
    assert again.result["pid"] == task.result["pid"]
    assert sum("Started the gateway" in line for line in task.output) == 1
    assert fake_openclaw.config_file.exists()


def test_sigterm_interrupts_a_job_in_time_and_leaves_its_gateway(
    worker: Worker, fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.configure(ready_after=120)
    task_id = worker.submit(StartGatewayJob())
    until(lambda: worker.view(task_id), lambda task: "Started the gateway" in " ".join(task.output))
    began = time.monotonic()
    worker.process.send_signal(signal.SIGTERM)
    worker.process.wait(timeout=9)

    task = worker.view(task_id)
    assert time.monotonic() - began < 9
    assert task.status is TaskStatus.INTERRUPTED
    pid = int(next(line for line in task.output if "Started" in line).split("pid ")[1].rstrip(")"))
    os.kill(pid, 0)


def test_a_broker_that_restarts_in_mid_job_costs_neither_the_job_nor_the_worker(
    worker: Worker, own_broker: BrokerServer, fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.configure(ready_after=4)
    task_id = worker.submit(StartGatewayJob())
    worker.reaches(task_id, TaskStatus.RUNNING)
    own_broker.stop()
    own_broker.start()

    first = worker.reaches(task_id, TaskStatus.COMPLETED, TaskStatus.FAILED)
    second = worker.reaches(worker.submit(StopGatewayJob()), TaskStatus.COMPLETED)

    assert first.status is TaskStatus.COMPLETED
    assert sum("Started the gateway" in line for line in first.output) == 1
    assert second.result is not None
    assert worker.process.poll() is None
