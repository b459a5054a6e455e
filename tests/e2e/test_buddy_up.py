"""`buddy up` as users see it: everything starts, jobs run, Flower and the logs tell the truth."""

import contextlib
import json
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import psutil
import pytest

from e2e.machine import Buddy, until

pytestmark = pytest.mark.timeout(120)


def flower(buddy: Buddy, path: str, password: str | None) -> httpx.Response:
    auth = None if password is None else ("buddy", password)
    url = f"http://127.0.0.1:{buddy.machine.flower_port}{path}"
    return httpx.get(url, auth=auth, timeout=10, trust_env=False)


def state_in_flower(buddy: Buddy, task_id: str, expected: str) -> dict[str, Any]:
    """Wait until Flower has heard of the end of a task, and return what it knows."""
    seen: dict[str, Any] = {}

    def heard() -> bool:
        answer = flower(buddy, f"/api/task/info/{task_id}", buddy.token)
        if answer.status_code == 200:
            seen.update(answer.json())
        return seen.get("state") == expected

    until(heard, seconds=15, what=f"{task_id} is {expected} in Flower")
    return seen


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Keep a process from running for a moment."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_everything_is_up_and_the_gateway_was_started_by_itself(buddy: Buddy) -> None:
    status = buddy.get("/v1/openclaw/status").json()["data"]
    children = {"broker", "web", "worker-fast", "worker-slow", "watchdog", "flower"}

    assert status["status"] == "Running"
    assert status["port"] == buddy.machine.fake.port
    assert [process.pid for process in buddy.machine.gateways()] == [status["pid"]]
    assert set(buddy.children) == children
    assert all(psutil.pid_exists(pid) for pid in buddy.children.values())
    assert f"ready on port {buddy.machine.fake.port} (pid {status['pid']})" in buddy.output


def test_the_output_is_short_and_names_what_an_operator_needs(buddy: Buddy) -> None:
    assert f"{buddy.url}/docs" in buddy.output
    assert str(buddy.machine.home / "logs") in buddy.output
    assert "`buddy token` shows it" in buddy.output
    assert len(buddy.output.splitlines()) < 15


def test_without_the_token_nothing_is_answered(buddy: Buddy) -> None:
    assert httpx.get(f"{buddy.url}/v1/openclaw/status", trust_env=False).status_code == 401
    assert httpx.post(f"{buddy.url}/v1/gateway/restart", trust_env=False).status_code == 401


def test_a_restart_over_http_goes_its_way_and_brings_a_new_process(buddy: Buddy) -> None:
    before = buddy.get("/v1/openclaw/status").json()["data"]["pid"]
    buddy.machine.fake.configure(ready_after=1.0)
    with stopped(buddy.children["worker-fast"]):
        task_id = buddy.post("/v1/gateway/restart").json()["data"]["taskID"]
        seen = [buddy.get("/v1/tasks/status", taskId=task_id).json()["data"]]
    while seen[-1]["endTime"] is None:
        seen.append(buddy.get("/v1/tasks/status", taskId=task_id, wait="5").json()["data"])
    task = seen[-1]

    statuses = [task["status"] for task in seen]
    assert sorted(set(statuses), key=statuses.index) == ["Queued", "Running", "Completed"]
    assert [task["progress"] for task in seen] == sorted(task["progress"] for task in seen)
    stages = {task["stage"] for task in seen}  # a stop of a moment may lie between two questions
    assert "ready" in stages
    assert stages & {"stopping", "starting"}
    assert task["progress"] == 100
    assert any("http server listening" in line for line in task["output"])
    assert task["queuedAt"] < task["startTime"] < task["endTime"]
    assert task["result"]["oldPid"] == before
    assert [process.pid for process in buddy.machine.gateways()] == [task["result"]["pid"]]
    assert task["result"]["pid"] != before


def test_two_jobs_at_once_both_complete_and_the_audit_knows_them(buddy: Buddy) -> None:
    first = buddy.post("/v1/gateway/restart").json()["data"]["taskID"]
    second = buddy.post("/v1/gateway/restart").json()["data"]["taskID"]

    assert buddy.finish_task(second)["status"] == buddy.finish_task(first)["status"] == "Completed"
    events = buddy.get("/v1/system/events").json()["data"]
    assert [event["action"] for event in events[:2]] == ["restart_gateway", "restart_gateway"]


def test_flower_knows_the_task_under_the_same_id(buddy: Buddy) -> None:
    task = buddy.finish("/v1/gateway/restart")

    info = state_in_flower(buddy, task["taskID"], "SUCCESS")

    assert info["uuid"] == task["taskID"]
    assert info["name"] == "buddy.gateway.restart"
    listed = flower(buddy, "/api/tasks", buddy.token).json()
    assert listed[task["taskID"]]["state"] == "SUCCESS"


@pytest.mark.parametrize("password", [None, "", "wrong"])
@pytest.mark.parametrize("path", ["/api/tasks", "/api/workers", "/", "/tasks"])
def test_flower_answers_nobody_without_the_token(buddy: Buddy, path: str, password: str | None) -> None:
    assert flower(buddy, path, password).status_code == 401


def test_a_job_that_fails_says_why_and_is_a_failure_in_flower(buddy: Buddy) -> None:
    reason = 'Invalid config openclaw.json:2 — gateway: Unrecognized key: "foo"'
    buddy.machine.fake.configure(exit=78, say=reason)
    try:
        task = buddy.finish("/v1/gateway/restart")
    finally:
        buddy.machine.fake.configure()

    assert task["status"] == "Failed"
    assert task["errorCode"] == "gateway_start_failed"
    assert "exit code 78" in task["error"]
    assert reason in task["error"]
    assert buddy.get("/v1/tasks/status", taskId=task["taskID"]).json()["data"] == task
    state_in_flower(buddy, task["taskID"], "FAILURE")
    assert buddy.finish("/v1/gateway/start")["status"] == "Completed"


def test_twenty_clients_at_once_are_all_answered(buddy: Buddy) -> None:
    codes: list[int] = []

    def ask() -> None:
        codes.extend(buddy.get("/v1/openclaw/status").status_code for _ in range(5))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert codes == [200] * 100


def test_no_secret_is_on_any_command_line(buddy: Buddy) -> None:
    password = json.loads((buddy.machine.home / "run" / "broker.json").read_bytes())["password"]
    pids = [buddy.process.pid, *buddy.children.values()]
    lines = [" ".join(psutil.Process(pid).cmdline()) for pid in pids]

    assert len(lines) == 7
    assert not [line for line in lines if buddy.token in line or password in line]


def test_everything_listens_on_loopback_only(buddy: Buddy) -> None:
    addresses = {
        connection.laddr.ip
        for process in buddy.machine.services()
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }

    assert addresses == {"127.0.0.1"}


def test_status_shows_all_of_it(buddy: Buddy) -> None:
    text, report = buddy.machine.run("status"), buddy.machine.run("status", "--json")

    assert text.returncode == report.returncode == 0
    assert f"{buddy.url}: ready" in text.stdout
    seen = json.loads(report.stdout)
    assert seen["running"] is seen["ready"] is True
    assert seen["gateway"]["status"] == "Running"
    assert {name: child["pid"] for name, child in seen["children"].items()} == buddy.children
    assert set(seen["restarts"].values()) == {0}
    for name, pid in buddy.children.items():
        assert re.search(rf"{name}\s+{pid}\s+running\s+0", text.stdout)


def test_the_logs_are_json_lines_without_a_secret(buddy: Buddy) -> None:
    token = buddy.token
    password = json.loads((buddy.machine.home / "run" / "broker.json").read_bytes())["password"]
    flower(buddy, "/api/tasks", token)
    with httpx.Client(base_url=buddy.url, trust_env=False) as browser:
        browser.post("/login", json={"token": token})
        browser.get("/v1/auth/me")
        browser.get("/v1/auth/me", params={"ticket": token, "token": token})
        browser.get("/nothing", headers={"Cookie": f"guardian_token={token}", "Referer": token})
    with socket.create_connection(("127.0.0.1", buddy.machine.web_port)) as client:
        client.sendall(f"NONSENSE {token}\r\n\r\n".encode())

    logs = {file.stem: file.read_text() for file in (buddy.machine.home / "logs").iterdir()}
    assert set(logs) == {"gateway-local", *buddy.children}
    assert not [name for name, text in logs.items() if token in text or password in text]
    del logs["gateway-local"]  # OpenClaw writes it, in its own way
    for text in logs.values():
        assert all(isinstance(json.loads(line), dict) for line in text.splitlines())
