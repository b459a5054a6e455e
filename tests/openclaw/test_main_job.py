"""The main job on the real OpenClaw: a gateway restart as a polled task."""

import os
import signal
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
import pytest

from contract.guide import guide_routes, misfits
from e2e.machine import Buddy
from openclaw_system import System

pytestmark = pytest.mark.openclaw

RESTART_STATES = ["Queued", "Running", "Completed"]


@dataclass(frozen=True)
class Restarted:
    """One restart job: the answer to its request, and every version of its task that was seen."""

    answer: httpx.Response
    versions: list[dict[str, Any]]


@pytest.fixture(scope="module")
def restarted(system: System) -> Restarted:
    system.ensure_running()
    answer = system.buddy.post("/v1/gateway/restart")
    return Restarted(answer, list(system.buddy.follow(answer.json()["data"]["taskID"])))


def test_restart_completes_and_the_pid_has_changed(system: System, restarted: Restarted) -> None:
    last = restarted.versions[-1]
    assert last["status"] == "Completed", last
    result = last["result"]
    assert result["pid"] != result["oldPid"]
    assert result["port"] == system.openclaw.port
    assert not psutil.pid_exists(result["oldPid"])
    assert system.buddy.status()["pid"] == result["pid"]
    assert system.is_ready()


def test_restart_goes_through_its_states_with_stage_progress_and_output(restarted: Restarted) -> None:
    states = [version["status"] for version in restarted.versions]
    assert states == sorted(states, key=RESTART_STATES.index)
    assert {"Running", "Completed"} <= set(states)
    progress = [version["progress"] for version in restarted.versions]
    assert progress == sorted(progress)
    stages = {version["stage"] for version in restarted.versions}
    assert stages & {"stopping", "starting"}  # a poll sees some of them, not each
    last = restarted.versions[-1]
    assert last["stage"] == ("ready" if last["result"]["ready"] else "started")  # it is up either way
    assert any("[gateway] ready" in line for line in last["output"])
    assert last["command"] == "openclaw gateway run"


def test_flower_shows_the_same_task_under_the_same_id(system: System, restarted: Restarted) -> None:
    task_id = restarted.versions[-1]["taskID"]
    url = f"http://127.0.0.1:{system.buddy.machine.flower_port}/api/task/info/{task_id}"
    assert httpx.get(url, trust_env=False).status_code == httpx.codes.UNAUTHORIZED
    task = httpx.get(url, auth=("buddy", system.buddy.token), trust_env=False).json()
    assert task["uuid"] == task_id
    assert task["name"] == "buddy.gateway.restart"
    assert task["state"] == "SUCCESS"


@pytest.mark.parametrize(
    "path",
    ["/health", "/v1/openclaw/status", "/v1/system/info", "/v1/system/events"],
)
def test_the_guides_examples_fit_the_live_answers(path: str, system: System, restarted: Restarted) -> None:
    assert restarted.versions
    example = next(route for route in guide_routes() if route.key == f"GET {path}")
    answer = system.buddy.get(path)
    body = answer.json()
    assert answer.status_code == body["code"] == example.status
    assert body["message"] == example.message
    assert misfits(example.data, body["data"]) == []


def test_the_guides_example_of_a_restart_fits_the_live_answer(restarted: Restarted) -> None:
    assert_fits_the_guide("restart", restarted.answer)


def test_the_guides_example_of_a_start_fits_the_live_answer(system: System, restarted: Restarted) -> None:
    assert restarted.versions
    assert_command_fits_the_guide("start", system)


def assert_command_fits_the_guide(action: str, system: System) -> None:
    answer = system.buddy.post(f"/v1/gateway/{action}")
    assert_fits_the_guide(action, answer)
    task = system.buddy.finish_task(answer.json()["data"]["taskID"])
    assert task["status"] == "Completed", task


def assert_fits_the_guide(action: str, answer: httpx.Response) -> None:
    example = next(route for route in guide_routes() if route.key == f"POST /v1/gateway/{action}")
    body = answer.json()
    assert answer.status_code == body["code"] == example.status
    if example.message != "success":
        assert body["message"] == example.message
    assert misfits(example.data, body["data"]) == []


def test_login_answers_as_in_the_guide(system: System) -> None:
    with httpx.Client(base_url=system.buddy.url, trust_env=False) as browser:
        wrong = browser.post("/login", json={"token": "wrong"})
        right = browser.post("/login", json={"token": system.buddy.token})
        assert wrong.status_code == wrong.json()["code"] == 401
        assert wrong.json()["message"] == "Invalid token"
        assert right.json() == {"code": 200, "message": "success"}
        assert browser.get("/v1/openclaw/status").status_code == 200


def test_ending_buddy_leaves_the_gateway_running_and_the_next_one_finds_it(system: System) -> None:
    pid = system.ensure_running()
    assert system.buddy.stop()

    assert system.is_ready()
    assert system.gateway_pids() == [pid]
    system.buddy = system.buddy.machine.up()
    assert system.ensure_running() == pid


def test_a_killed_gateway_is_noticed_and_healed_by_itself(system: System) -> None:
    pid, buddy = system.ensure_running(), system.buddy
    os.kill(pid, signal.SIGKILL)

    buddy.until(lambda: buddy.status()["pid"] != pid, what="the crash is seen", seconds=60)
    buddy.until(lambda: buddy.status()["pid"] not in (None, pid), what="another one is there")
    buddy.until(system.is_ready, what="it is ready")
    buddy.until(lambda: heal_events(buddy)[0]["kind"] == "repair", what="it is on record")

    rows = heal_events(buddy)
    mine = [row for row in reversed(rows) if row["incident"] == rows[0]["incident"]]
    first, repair = [row for row in mine if row["kind"] in ("detected", "repair")]
    assert (first["verdict"], repair["repair"], repair["outcome"][:4]) == ("crashed", "restart", "done")
    assert system.gateway_pids() == [buddy.status()["pid"]]


def heal_events(buddy: Buddy) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = buddy.get("/v1/heal/events").json()["data"]
    return rows


def test_no_log_of_ours_and_no_task_holds_a_token(system: System) -> None:
    logs = system.buddy.machine.home / "logs"
    texts = [file.read_text(errors="replace") for file in logs.iterdir()]
    texts.append(system.buddy.get("/v1/tasks/status").text)

    assert texts
    for secret in (system.buddy.token, system.openclaw.token):
        assert not any(secret in text for text in texts)


def test_the_guides_example_of_a_stop_fits_the_live_answer(system: System) -> None:
    assert_command_fits_the_guide("stop", system)
