"""What both generations of OpenClaw must do for Buddy. Each issue that relies on more of them adds to it."""

from typing import Any

import psutil
import pytest

from fakes.model_provider import ANSWER
from openclaw_system import QUESTION, START_SECONDS, System
from real_openclaw import Generation

pytestmark = pytest.mark.openclaw

# what `gateway run` ends with when its config blocks the start
CONFIG_EXIT_CODES = {Generation.NEW: 78, Generation.OLD: 1}
LOOPBACK = {"127.0.0.1", "::1"}


def test_the_version_route_names_the_program_that_runs(each_system: System) -> None:
    answer = each_system.buddy.get("/v1/openclaw/version").json()["data"]

    assert answer["installed"] is True
    assert answer["version"] == each_system.openclaw.found.version
    assert answer["path"] == str(each_system.openclaw.program)
    assert each_system.buddy.status()["version"] == answer["version"]


def test_a_started_gateway_is_ready_by_its_own_word_and_by_ours(each_system: System) -> None:
    pid = each_system.ensure_running()
    status = each_system.buddy.status()

    assert each_system.is_ready()
    assert (status["status"], status["ready"], status["desired"]) == ("Running", True, "running")
    assert (status["pid"], status["port"]) == (pid, each_system.openclaw.port)
    assert each_system.gateway_pids() == [pid]


def test_the_gateway_listens_on_loopback_only(each_system: System) -> None:
    each_system.ensure_running()

    assert each_system.listening_on() == LOOPBACK


def test_a_chat_through_the_gateway_arrives_whole(each_system: System) -> None:
    each_system.ensure_running()
    asked_before = each_system.provider.requests

    with each_system.chat() as chat:
        assert each_system.provider.wait_for_requests(asked_before + 1, seconds=START_SECONDS)

    assert (chat.text, chat.whole, chat.problem) == (ANSWER, True, None)
    assert QUESTION in str(each_system.provider.bodies[-1]["messages"])


def test_edits_of_the_config_change_neither_the_process_nor_their_number(each_system: System) -> None:
    pid = each_system.ensure_running()

    def make_it_talkative(config: dict[str, Any]) -> None:
        config["logging"]["level"] = "debug"

    def move_its_panel(config: dict[str, Any]) -> None:
        config["gateway"]["controlUi"] = {"basePath": "/panel"}

    edited, restarted = "evaluating reload (logging.level)", "restart mode: in-process restart"
    edits, restarts = each_system.said(edited), each_system.said(restarted)
    with each_system.watched() as seen:
        each_system.openclaw.edit(make_it_talkative)
        each_system.buddy.until(lambda: each_system.said(edited) == edits + 1, what="the first edit is seen")
        each_system.openclaw.edit(move_its_panel)  # for this, OpenClaw restarts itself
        each_system.buddy.until(
            lambda: each_system.said(restarted) == restarts + 1, what="the restart begins"
        )
        each_system.buddy.until(each_system.is_ready, what="it is ready again")

    assert {tuple(pids) for pids in seen} == {(pid,)}
    assert each_system.gateway_pids() == [pid]
    each_system.buddy.until(lambda: each_system.buddy.status()["status"] == "Running", what="Running")
    assert each_system.buddy.status()["pid"] == pid


def test_a_restart_brings_a_new_process_that_is_ready(each_system: System) -> None:
    old = each_system.ensure_running()

    task = each_system.run("restart")

    assert task["status"] == "Completed", task
    result = task["result"]
    assert (result["oldPid"], result["killed"]) == (old, False)
    assert not psutil.pid_exists(old)
    assert each_system.gateway_pids() == [result["pid"]]
    assert each_system.is_ready()


def test_a_stop_is_remembered_and_done_twice_without_harm(each_system: System) -> None:
    pid = each_system.ensure_running()

    first, second = each_system.run("stop"), each_system.run("stop")

    assert first["status"] == second["status"] == "Completed"
    assert (first["result"]["wasRunning"], first["result"]["pid"]) == (True, pid)
    assert (second["result"]["wasRunning"], second["result"]["pid"]) == (False, None)
    status = each_system.buddy.status()
    assert (status["status"], status["desired"], status["pid"]) == ("Stopped", "stopped", None)
    assert each_system.gateway_pids() == []
    assert not each_system.is_ready()


def test_a_start_with_an_unknown_key_fails_with_openclaws_own_reason(each_system: System) -> None:
    each_system.ensure_stopped()
    openclaw = each_system.openclaw

    def break_it(config: dict[str, Any]) -> None:
        config["gateway"]["noSuchKey"] = 1

    with openclaw.edited(break_it):
        task = each_system.run("start")

    assert (task["status"], task["errorCode"]) == ("Failed", "gateway_start_failed")
    assert f"exit code {CONFIG_EXIT_CODES[openclaw.generation]}" in task["error"]
    assert str(openclaw.config_file) in task["error"]
    line = "openclaw.json:2 — " if openclaw.generation is Generation.NEW else ""  # the older one names none
    assert f'{line}gateway: Unrecognized key: "noSuchKey"' in task["error"]
    assert each_system.gateway_pids() == []
    event = each_system.buddy.get("/v1/system/events").json()["data"][0]
    assert (event["taskID"], event["status"]) == (task["taskID"], "failed")


def test_a_gateway_without_a_bind_in_its_config_listens_on_loopback_only(each_system: System) -> None:
    """Inside a container, the newer generation would listen on all addresses."""
    each_system.ensure_stopped()

    with each_system.openclaw.edited(lambda config: config["gateway"].pop("bind")):
        each_system.ensure_running()
        try:
            addresses = each_system.listening_on()
        finally:
            each_system.ensure_stopped()

    assert addresses == LOOPBACK
