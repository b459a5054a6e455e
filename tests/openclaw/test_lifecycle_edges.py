"""Start, stop and restart where something is in the way, on the newer generation."""

import os
import signal
import socket

import psutil
import pytest

from fakes.model_provider import ANSWER, FIRST_HALF
from openclaw_system import START_SECONDS, System

pytestmark = [pytest.mark.openclaw, pytest.mark.faults]

AT_ONCE_SECONDS = 15.0  # what "not waiting for anything" takes on a machine under load


def test_a_start_on_a_port_that_another_program_has_names_that_program(system: System) -> None:
    system.ensure_stopped()
    us = psutil.Process()

    with socket.create_server(("127.0.0.1", system.openclaw.port)):
        task = system.run("start")

    assert task["status"] == "Failed"
    assert us.name() in task["error"]
    assert str(us.pid) in task["error"]
    assert system.gateway_pids() == []


def test_a_second_stop_finds_nothing_to_stop(system: System) -> None:
    system.ensure_stopped()

    task = system.run("stop")

    assert task["status"] == "Completed", task
    assert (task["result"]["wasRunning"], task["result"]["killed"]) == (False, False)


def test_a_restart_of_a_stopped_gateway_starts_it(system: System) -> None:
    system.ensure_stopped()

    task = system.run("restart")

    assert task["status"] == "Completed", task
    assert task["result"]["oldPid"] is None
    assert system.gateway_pids() == [task["result"]["pid"]]
    assert system.buddy.status()["desired"] == "running"
    assert system.is_ready()


def test_a_second_start_finds_the_gateway_that_runs(system: System) -> None:
    pid = system.ensure_running()

    task = system.run("start")

    assert task["status"] == "Completed", task
    assert (task["result"]["pid"], task["result"]["alreadyRunning"]) == (pid, True)
    assert system.gateway_pids() == [pid]


def test_a_client_of_the_gateways_port_is_never_taken_for_the_gateway(system: System) -> None:
    pid = system.ensure_running()

    with socket.create_connection(("127.0.0.1", system.openclaw.port)):
        assert system.buddy.status()["pid"] == pid
        stopped = system.run("stop")  # whatever it ended, it was not us
        started = system.run("start")  # our half of the connection is still there

    assert (stopped["status"], stopped["result"]["pid"]) == ("Completed", pid)
    assert started["status"] == "Completed", started
    assert started["result"]["alreadyRunning"] is False
    assert system.gateway_pids() == [started["result"]["pid"]]


def test_a_restart_lets_a_running_chat_finish_first(system: System) -> None:
    old = system.ensure_running()
    when_it_drained: list[tuple[str, bool]] = []  # what the chat had come to, and whether that was all

    with system.held_chat() as (chat, held):
        for task in system.buddy.follow(system.buddy.submit("/v1/gateway/restart")):
            if "draining" in str(task["stage"]):
                when_it_drained.append((chat.text, chat.whole))
                held.release()

    assert when_it_drained, "no stage told of the drain"
    assert when_it_drained[0] == (FIRST_HALF, False)
    assert (chat.text, chat.whole, chat.problem) == (ANSWER, True, None)
    assert task["status"] == "Completed", task
    assert (task["result"]["oldPid"], task["result"]["killed"]) == (old, False)
    assert system.gateway_pids() == [task["result"]["pid"]]
    assert system.is_ready()


def test_a_forced_restart_cuts_a_running_chat(system: System) -> None:
    old = system.ensure_running()

    with system.held_chat() as (chat, held):
        task = system.run("restart", force=True)
        assert held.abandoned.wait(START_SECONDS)

    assert task["status"] == "Completed", task
    assert (task["result"]["oldPid"], task["result"]["killed"]) == (old, True)
    assert task["result"]["stopSeconds"] < AT_ONCE_SECONDS
    assert (chat.text, chat.whole) == (FIRST_HALF, False)
    assert system.is_ready()


def test_a_restart_does_not_wait_for_a_frozen_gateway(system: System) -> None:
    old = system.ensure_running()
    os.kill(old, signal.SIGSTOP)

    task = system.run("restart")

    assert task["status"] == "Completed", task
    assert (task["result"]["oldPid"], task["result"]["killed"]) == (old, True)
    assert task["result"]["stopSeconds"] < AT_ONCE_SECONDS
    assert not psutil.pid_exists(old)
    assert system.is_ready()


def test_two_restarts_at_once_are_done_one_after_the_other(system: System) -> None:
    first_pid = system.ensure_running()

    with system.watched() as seen:
        ids = [system.buddy.submit("/v1/gateway/restart") for _ in range(2)]
        tasks = [system.buddy.finish_task(task_id) for task_id in ids]

    assert [task["status"] for task in tasks] == ["Completed", "Completed"], tasks
    replaced = {task["result"]["oldPid"]: task["result"]["pid"] for task in tasks}
    second_pid = replaced[first_pid]
    third_pid = replaced[second_pid]
    assert len({first_pid, second_pid, third_pid}) == 3
    assert max(map(len, seen)) == 1
    assert system.gateway_pids() == [third_pid]
    assert system.is_ready()
