"""The main job on the real OpenClaw: a gateway restart as a polled task."""

import json
import os
import signal
import time

import httpx
import psutil
import pytest

from contract.guide import guide_routes, misfits
from openclaw_system import System

pytestmark = pytest.mark.openclaw

RESTART_STATES = ["Queued", "Running", "Completed"]


@pytest.fixture(scope="module")
def restarted(system: System) -> list[dict[str, object]]:
    """Every version of one restart job, from the 202 to its end."""
    before = system.run("start")
    assert before["status"] == "Completed", before
    return system.finish(system.submit("restart"))


def test_restart_completes_and_the_pid_has_changed(
    system: System, restarted: list[dict[str, object]]
) -> None:
    last = restarted[-1]
    assert last["status"] == "Completed", last
    result = last["result"]
    assert isinstance(result, dict)
    assert result["pid"] != result["oldPid"]
    assert result["port"] == system.gateway_port
    assert not psutil.pid_exists(result["oldPid"])
    assert system.status()["pid"] == result["pid"]


def test_restart_goes_through_its_states_with_stage_progress_and_output(
    restarted: list[dict[str, object]],
) -> None:
    states = [str(version["status"]) for version in restarted]
    assert states == sorted(states, key=RESTART_STATES.index)
    assert {"Running", "Completed"} <= set(states)
    progress = [version["progress"] for version in restarted]
    assert progress == sorted(progress, key=lambda value: int(str(value)))
    stages = {str(version["stage"]) for version in restarted}
    assert stages & {"stopping", "starting"}  # a poll sees some of them, not each
    assert restarted[-1]["stage"] == "ready"
    output = restarted[-1]["output"]
    assert isinstance(output, list)
    assert any("[gateway] ready" in line for line in output)
    assert restarted[-1]["command"] == "openclaw gateway run"


def test_the_new_gateway_itself_says_that_it_is_ready(
    system: System, restarted: list[dict[str, object]]
) -> None:
    assert restarted[-1]["status"] == "Completed"
    answer = httpx.get(f"http://127.0.0.1:{system.gateway_port}/readyz", trust_env=False)
    assert answer.status_code == httpx.codes.OK
    assert answer.json()["ready"] is True


def test_flower_shows_the_same_task_under_the_same_id(
    system: System, restarted: list[dict[str, object]]
) -> None:
    task_id = str(restarted[-1]["taskID"])
    url = f"{system.flower_url}/api/task/info/{task_id}"
    assert httpx.get(url, trust_env=False).status_code == httpx.codes.UNAUTHORIZED
    task = httpx.get(url, auth=("buddy", system.token), trust_env=False).json()
    assert task["uuid"] == task_id
    assert task["name"] == "buddy.gateway.restart"
    assert task["state"] == "SUCCESS"


def test_the_gateway_listens_on_loopback_only(system: System, restarted: list[object]) -> None:
    assert restarted
    pid = system.status()["pid"]
    addresses = {
        connection.laddr.ip
        for connection in psutil.Process(pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses <= {"127.0.0.1", "::1"}
    assert addresses


@pytest.mark.parametrize(
    "path",
    ["/health", "/v1/openclaw/status", "/v1/system/info", "/v1/system/events"],
)
def test_the_guides_examples_fit_the_live_answers(path: str, system: System, restarted: list[object]) -> None:
    assert restarted
    example = next(route for route in guide_routes() if route.key == f"GET {path}")
    answer = system.request("GET", path)
    body = answer.json()
    assert answer.status_code == body["code"] == example.status
    assert body["message"] == example.message
    assert misfits(example.data, body["data"]) == []


@pytest.mark.parametrize("action", ["start", "restart", "stop"])
def test_the_guides_examples_fit_the_live_answers_to_commands(action: str, system: System) -> None:
    path = f"/v1/gateway/{action}"
    example = next(route for route in guide_routes() if route.key == f"POST {path}")
    answer = system.request("POST", path)
    body = answer.json()
    assert answer.status_code == body["code"] == example.status
    if example.message != "success":
        assert body["message"] == example.message
    assert misfits(example.data, body["data"]) == []
    last = system.finish(body["data"]["taskID"])[-1]
    assert last["status"] == "Completed", last


def test_login_answers_as_in_the_guide(system: System) -> None:
    with httpx.Client(base_url=system.url, trust_env=False) as browser:
        wrong = browser.post("/login", json={"token": "wrong"})
        right = browser.post("/login", json={"token": system.token})
        assert wrong.status_code == wrong.json()["code"] == 401
        assert wrong.json()["message"] == "Invalid token"
        assert right.json() == {"code": 200, "message": "success"}
        assert browser.get("/v1/openclaw/status").status_code == 200


def test_a_stop_is_remembered_and_done_twice_without_harm(system: System) -> None:
    system.run("start")
    first, second = system.run("stop"), system.run("stop")

    assert first["status"] == second["status"] == "Completed"
    assert first["result"]["wasRunning"] is True
    assert second["result"]["wasRunning"] is False
    status = system.status()
    assert status["status"] == "Stopped"
    assert status["desired"] == "stopped"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{system.gateway_port}/healthz", trust_env=False)


def test_a_start_with_an_unknown_key_fails_with_openclaws_own_reason(system: System) -> None:
    system.run("stop")
    config_file = system.config_dir / "openclaw.json"
    good = config_file.read_bytes()
    broken = json.loads(good)
    broken["gateway"]["noSuchKey"] = 1
    config_file.write_text(json.dumps(broken))
    try:
        task = system.run("start")
    finally:
        config_file.write_bytes(good)

    assert task["status"] == "Failed"
    assert task["errorCode"] == "gateway_start_failed"
    assert "exit code 78" in task["error"]
    assert "noSuchKey" in task["error"]
    assert system.status()["status"] == "ConfigError"
    events = system.request("GET", "/v1/system/events").json()["data"]
    assert (events[0]["taskID"], events[0]["status"]) == (task["taskID"], "failed")


def test_status_notices_a_killed_gateway_by_itself(system: System) -> None:
    pid = system.run("start")["result"]["pid"]
    os.kill(pid, signal.SIGKILL)

    deadline = time.monotonic() + 20
    while (status := system.status())["status"] != "Crashed" and time.monotonic() < deadline:
        time.sleep(0.1)

    assert status["status"] == "Crashed"
    assert status["pid"] is None
    assert system.run("restart")["status"] == "Completed"


def test_no_log_of_ours_and_no_task_holds_a_token(system: System) -> None:
    gateway_token = json.loads((system.config_dir / "openclaw.json").read_text())["gateway"]["auth"]["token"]
    texts = [file.read_text(errors="replace") for file in (system.home / "logs").iterdir()]
    texts.append(system.request("GET", "/v1/tasks/status").text)

    assert texts
    for secret in (system.token, gateway_token):
        assert not any(secret in text for text in texts)


def test_ending_buddy_leaves_the_gateway_running(system: System) -> None:
    """Keep this the last one: the system is down afterwards."""
    started = system.run("start")
    assert started["status"] == "Completed", started
    system.process.send_signal(signal.SIGTERM)
    system.process.wait(timeout=10)

    answer = httpx.get(f"http://127.0.0.1:{system.gateway_port}/readyz", trust_env=False)

    assert answer.json()["ready"] is True
    assert psutil.pid_exists(started["result"]["pid"])
