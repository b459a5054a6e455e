"""How `buddy up` ends: in time, with all it started, and without the gateway."""

import json
import os
import signal
import time
from collections.abc import Callable

import pytest

from e2e.machine import STOP_SECONDS, Buddy, Machine

pytestmark = pytest.mark.timeout(120)
COMMAND_SECONDS = 5  # what a busy machine takes to start `buddy down`, before anything is stopped


def terminate(buddy: Buddy) -> None:
    buddy.process.send_signal(signal.SIGTERM)


def ctrl_c(buddy: Buddy) -> None:
    """Signal the whole group, as a terminal does."""
    os.killpg(buddy.process.pid, signal.SIGINT)


def hang_up(buddy: Buddy) -> None:
    """Signal the whole group, as a terminal does that is closed."""
    os.killpg(buddy.process.pid, signal.SIGHUP)


def down(buddy: Buddy) -> None:
    done = buddy.machine.run("down")
    assert done.returncode == 0, done
    assert "the gateway is left as it is" in done.stdout


@pytest.mark.parametrize("stop", [terminate, ctrl_c, hang_up, down])
def test_everything_ends_in_time_and_the_gateway_runs_on(
    machine: Machine, stop: Callable[[Buddy], None]
) -> None:
    buddy = machine.up()
    buddy.wait_for_output("✓ gateway")
    (gateway,) = machine.gateways()
    began = time.monotonic()

    stop(buddy)

    assert buddy.process.wait(timeout=STOP_SECONDS) == 0
    assert time.monotonic() - began < STOP_SECONDS + (COMMAND_SECONDS if stop is down else 0)
    assert machine.services() == []
    assert machine.gateways() == [gateway]
    assert machine.state == {}
    logs = "".join(file.read_text() for file in (machine.home / "logs").glob("*.log"))
    assert "killed_at_stop" not in logs
    assert "Traceback" not in logs + buddy.output
    assert json.loads(machine.run("status", "--json").stdout) == {"running": False}
    assert machine.run("down").returncode == 0


def test_under_nohup_it_survives_the_end_of_the_terminal(machine: Machine) -> None:
    ours = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what `nohup` does; children inherit it
    try:
        buddy = machine.up("--no-flower", "--no-start-gateway")
    finally:
        signal.signal(signal.SIGHUP, ours)

    hang_up(buddy)

    assert buddy.finish("/v1/gateway/start")["status"] == "Completed"
    assert buddy.process.poll() is None
    assert "Stopping" not in buddy.output


@pytest.mark.parametrize("stop", [terminate, ctrl_c])
def test_a_stop_in_the_middle_of_the_start_leaves_nothing(
    machine: Machine, stop: Callable[[Buddy], None]
) -> None:
    buddy = machine.start()
    buddy.until(lambda: len(buddy.children) >= 2, what="the first children")

    stop(buddy)

    buddy.process.wait(timeout=STOP_SECONDS)
    assert machine.services() == []
    assert machine.state == {}
    assert "Traceback" not in buddy.output


def test_a_job_that_runs_at_the_stop_is_interrupted_and_says_so(machine: Machine) -> None:
    buddy = machine.up("--no-flower")
    buddy.wait_for_output("✓ gateway")
    machine.fake.configure(ready_after=60)
    task_id = buddy.post("/v1/gateway/restart").json()["data"]["taskID"]
    buddy.until(
        lambda: "listening" in str(buddy.get("/v1/tasks/status", taskId=task_id).json()["data"]["stage"]),
        what="the job waits for the gateway",
    )

    assert buddy.stop()

    machine.fake.configure()
    for gateway in machine.gateways():
        gateway.kill()
    again = machine.up("--no-flower", "--no-start-gateway")
    task = again.get("/v1/tasks/status", taskId=task_id).json()["data"]
    assert task["status"] == "Interrupted"
    assert task["endTime"] is not None


def test_a_stop_is_remembered_by_the_next_start(machine: Machine) -> None:
    first = machine.up("--no-flower")
    first.wait_for_output("✓ gateway")
    assert first.finish("/v1/gateway/stop")["status"] == "Completed"
    assert machine.gateways() == []
    assert first.stop()

    second = machine.up("--no-flower")
    second.wait_for_output("stopped on purpose")

    assert machine.gateways() == []
    assert second.get("/v1/openclaw/status").json()["data"]["status"] == "Stopped"
    assert second.finish("/v1/gateway/start")["status"] == "Completed"


def test_gateway_token_and_tasks_are_kept_from_start_to_start(machine: Machine) -> None:
    first = machine.up("--no-flower")
    first.wait_for_output("✓ gateway")
    gateways = machine.gateways()
    token = first.token
    (task,) = first.get("/v1/tasks/status").json()["data"]
    assert first.stop()

    second = machine.up("--no-flower")
    second.wait_for_output("✓ gateway")

    assert machine.gateways() == gateways
    assert second.token == token == machine.run("token").stdout.strip()
    assert second.get("/v1/tasks/status").json()["data"][-1] == task
