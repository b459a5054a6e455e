"""A real worker process: its life, its death, and a broker that goes away while it works."""

import os
import signal
import time

import pytest

from buddy_common.db import nodes
from buddy_common.schemas.gateway_jobs import StartGatewayJob, StopGatewayJob
from buddy_common.schemas.tasks import TaskStatus
from fakes.broker import BrokerServer
from fakes.openclaw_program import FakeOpenClaw
from worker.process import Worker, until

pytestmark = pytest.mark.timeout(60)


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
