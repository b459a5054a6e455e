"""What is killed comes back by itself, and works."""

import asyncio
import os
import signal

import httpx
import psutil
import pytest

from buddy_common.adapters.presence import Presence
from buddy_common.adapters.redis_client import open_redis
from buddy_common.schemas.job import Lane
from e2e.machine import Buddy, Machine, until

pytestmark = pytest.mark.timeout(120)


def kill(buddy: Buddy, name: str) -> tuple[int, int]:
    """Kill a child, wait for the next one, and return both pids."""
    old = buddy.children[name]
    os.kill(old, signal.SIGKILL)
    buddy.until(lambda: buddy.children.get(name, old) != old, what=f"{name} is back", seconds=20)
    return old, buddy.children[name]


def answers(port: int, path: str) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False, timeout=5).is_success
    except httpx.HTTPError:
        return False


def consumers(machine: Machine, lane: Lane) -> set[int]:
    """Return the pids of the workers that say that they consume."""

    async def ask() -> set[int]:
        redis = open_redis(machine.broker_url)
        try:
            listing = await Presence(redis).listing()
        finally:
            await redis.aclose()
        return {int(worker.worker.split(":")[1]) for worker in listing if worker.lane is lane}

    return asyncio.run(ask())


def a_job_runs_and_flower_sees_it(buddy: Buddy) -> None:
    task = buddy.finish("/v1/gateway/restart")
    assert task["status"] == "Completed", task
    url = f"http://127.0.0.1:{buddy.machine.flower_port}/api/task/info/{task['taskID']}"

    def seen() -> bool:
        answer = httpx.get(url, auth=("buddy", buddy.token), trust_env=False, timeout=5)
        return answer.is_success and answer.json()["state"] == "SUCCESS"

    until(seen, seconds=20, what="the task in Flower")


def test_a_killed_web_is_back(buddy: Buddy) -> None:
    kill(buddy, "web")

    buddy.until(buddy.is_ready, what="ready again")
    a_job_runs_and_flower_sees_it(buddy)


@pytest.mark.parametrize("lane", list(Lane))
def test_a_killed_worker_is_back(buddy: Buddy, lane: Lane) -> None:
    _, pid = kill(buddy, f"worker-{lane}")

    buddy.until(lambda: pid in consumers(buddy.machine, lane), what="the new worker consumes")
    buddy.until(buddy.is_ready, what="ready again")
    a_job_runs_and_flower_sees_it(buddy)


def test_a_killed_watchdog_is_back_and_heals(buddy: Buddy) -> None:
    kill(buddy, "watchdog")

    buddy.until(lambda: answers(buddy.machine.watchdog_port, "/health"), what="its health")
    (gateway,) = buddy.machine.gateways()
    gateway.kill()
    buddy.until(
        lambda: buddy.status()["pid"] not in (None, gateway.pid) and buddy.status()["status"] == "Running",
        what="it starts another one",
        seconds=30,
    )
    assert buddy.is_ready()
    a_job_runs_and_flower_sees_it(buddy)


def test_a_killed_flower_is_back(buddy: Buddy) -> None:
    kill(buddy, "flower")

    buddy.until(lambda: answers(buddy.machine.flower_port, "/healthcheck"), what="its health")
    assert buddy.is_ready()
    a_job_runs_and_flower_sees_it(buddy)


def test_a_killed_broker_is_back_and_everything_finds_it_again(buddy: Buddy) -> None:
    others = {name: pid for name, pid in buddy.children.items() if name != "broker"}

    kill(buddy, "broker")

    buddy.until(buddy.is_ready, what="ready again")
    a_job_runs_and_flower_sees_it(buddy)
    assert {name: pid for name, pid in buddy.children.items() if name != "broker"} == others


def test_a_job_that_waits_in_the_queue_survives_the_death_of_worker_and_broker(buddy: Buddy) -> None:
    os.kill(buddy.children["worker-fast"], signal.SIGKILL)  # it is back after half a second
    task_id = buddy.post("/v1/gateway/restart").json()["data"]["taskID"]
    kill(buddy, "broker")

    assert buddy.finish_task(task_id)["status"] == "Completed"


def test_restarts_are_counted(buddy: Buddy) -> None:
    before = buddy.machine.state["restarts"]["flower"]

    kill(buddy, "flower")

    assert buddy.machine.state["restarts"]["flower"] == before + 1
    assert psutil.pid_exists(buddy.children["flower"])


def test_after_kill_9_of_buddy_itself_the_next_one_leaves_no_orphan(machine: Machine) -> None:
    first = machine.up("--no-flower")
    first.wait_for_output("✓ gateway")
    (gateway,) = machine.gateways()
    orphans = set(first.children.values())
    first.process.kill()
    first.process.wait()
    assert len(orphans) == 5
    assert machine.run("status").returncode == 1

    second = machine.up("--no-flower")
    second.wait_for_output("✓ gateway")

    assert "ended 5 processes of an earlier start" in second.output
    assert not orphans & {process.pid for process in machine.services()}
    assert set(second.children) == {"broker", "web", "worker-fast", "worker-slow", "watchdog"}
    assert machine.gateways() == [gateway]
    assert second.finish("/v1/gateway/restart")["status"] == "Completed"
