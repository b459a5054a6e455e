"""Whatever is killed, at whatever moment: no job is lost, none runs twice at once, the gateway lives.

Run by `make faults`: each test takes as long as a few cold starts of the real OpenClaw.
"""

import os
import signal
import time
from typing import Any

import psutil
import pytest
import redis

from buddy_common.schemas.job import Lane
from e2e.machine import Buddy
from openclaw_system import System

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

REAP_SECONDS = 15


@pytest.fixture(autouse=True)
def gateway(system: System) -> int:
    """Each test begins with a gateway that runs."""
    return system.ensure_running()


def kill(buddy: Buddy, name: str) -> None:
    """Kill a child of `buddy up` and wait for the next one."""
    old = buddy.children[name]
    os.kill(old, signal.SIGKILL)
    buddy.until(lambda: buddy.children.get(name, old) != old, what=f"{name} is back", seconds=60)


def reaches(buddy: Buddy, task_id: str, text: str) -> dict[str, Any]:
    """Wait until the task has written this."""

    def task() -> dict[str, Any]:
        found: dict[str, Any] = buddy.get("/v1/tasks/status", taskId=task_id).json()["data"]
        return found

    buddy.until(lambda: text in " ".join(task()["output"]), what=f"{task_id}: {text}")
    return task()


def started_pid(task: dict[str, Any]) -> int:
    """Return the pid of the gateway that the task has started so far."""
    (line,) = [line for line in task["output"] if "Started the gateway" in line]
    return int(line.rpartition("pid ")[2].rstrip(")"))


def test_a_worker_that_is_killed_in_mid_restart_costs_neither_the_job_nor_a_second_gateway(
    system: System, gateway: int
) -> None:
    buddy = system.buddy
    with system.watched() as seen:
        task_id = buddy.submit("/v1/gateway/restart")
        reaches(buddy, task_id, "Started the gateway")
        kill(buddy, "worker-fast")
        task = buddy.finish_task(task_id)

    assert (task["status"], task["attempts"]) == ("Completed", 2), task
    assert max(map(len, seen)) == 1
    assert task["result"]["pid"] != gateway
    assert system.gateway_pids() == [task["result"]["pid"]]


def test_a_worker_that_is_killed_while_the_old_gateway_stops_brings_up_a_new_one_all_the_same(
    system: System, gateway: int
) -> None:
    buddy = system.buddy
    with system.watched() as seen:
        task_id = buddy.submit("/v1/gateway/restart")
        reaches(buddy, task_id, "Stopping the gateway")
        kill(buddy, "worker-fast")
        task = buddy.finish_task(task_id)

    assert (task["status"], task["attempts"]) == ("Completed", 2), task
    assert max(map(len, seen)) == 1
    assert system.gateway_pids() == [task["result"]["pid"]] != [gateway]


def test_the_broker_killed_with_a_job_running_costs_nothing(system: System, gateway: int) -> None:
    buddy = system.buddy
    task_id = buddy.submit("/v1/gateway/restart")
    reaches(buddy, task_id, "Stopping the gateway")
    kill(buddy, "broker")

    task = buddy.finish_task(task_id)
    again = system.run("restart")

    assert (task["status"], task["attempts"]) == ("Completed", 1), task
    assert again["status"] == "Completed", again
    assert again["result"]["oldPid"] == task["result"]["pid"] != gateway


def test_a_broker_that_forgets_fifty_queued_jobs_loses_none(system: System, gateway: int) -> None:
    buddy = system.buddy
    worker = psutil.Process(buddy.children["worker-fast"])
    worker.suspend()
    try:
        ids = [buddy.submit("/v1/gateway/start") for _ in range(50)]
        flush(buddy)
    finally:
        worker.resume()

    tasks = [buddy.finish_task(task_id) for task_id in ids]

    assert {(task["status"], task["attempts"]) for task in tasks} == {("Completed", 1)}
    assert {task["result"]["pid"] for task in tasks} == {gateway}


def test_buddy_up_killed_with_a_job_running_leaves_the_gateway_and_finishes_the_job_later(
    system: System, gateway: int
) -> None:
    buddy = system.buddy
    task_id = buddy.submit("/v1/gateway/restart")
    started = reaches(buddy, task_id, "Started the gateway")
    for process in [buddy.process.pid, *buddy.children.values()]:
        os.kill(process, signal.SIGKILL)
    buddy.process.wait(timeout=30)
    new = started_pid(started)
    assert psutil.pid_exists(new)

    system.buddy = buddy.machine.up()
    task = system.buddy.finish_task(task_id)

    assert (task["status"], task["attempts"]) == ("Completed", 2), task
    assert task["result"]["pid"] == new != gateway
    assert system.gateway_pids() == [new]


def test_the_supervisor_alone_killed_leaves_no_orphan_and_no_lost_job(system: System, gateway: int) -> None:
    buddy = system.buddy
    orphans = [psutil.Process(pid) for pid in buddy.children.values()]
    os.kill(buddy.process.pid, signal.SIGKILL)
    buddy.process.wait(timeout=30)

    system.buddy = buddy.machine.up()

    assert not any(process.is_running() for process in orphans)
    assert system.gateway_pids() == [gateway]
    assert system.run("start")["result"]["pid"] == gateway


def test_an_install_whose_worker_is_killed_is_ended_whole_and_told_in_time(system: System) -> None:
    buddy = system.buddy
    task_id = buddy.submit("/v1/openclaw/plugins/install", spec="@tencent-weixin/openclaw-weixin@2.4.9")
    buddy.until(lambda: len(installers(system)) > 0, what="the install runs")
    began = time.monotonic()
    kill(buddy, f"worker-{Lane.SLOW}")

    task = buddy.finish_task(task_id)

    assert time.monotonic() - began < REAP_SECONDS
    assert (task["status"], task["errorCode"]) == ("Interrupted", "interrupted"), task
    assert installers(system) == []


def installers(system: System) -> list[int]:
    """Return the pids of `openclaw plugins install` and of all that it started."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except psutil.Error:
            continue
        if environment.get("OPENCLAW_STATE_DIR") == str(system.openclaw.config_dir) and (
            "BUDDY_KEEPER" in environment
        ):
            found.append(process.pid)
    return found


def flush(buddy: Buddy) -> None:
    """Make the broker forget everything."""
    with redis.Redis.from_url(buddy.machine.broker_url) as client:
        client.flushall()
