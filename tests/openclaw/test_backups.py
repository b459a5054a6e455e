"""Backups of the real `openclaw.json`, and what OpenClaw itself says of one that is brought back."""

import json
from typing import Any

import httpx
import pytest

from openclaw_system import System

pytestmark = pytest.mark.openclaw

BACKUPS = "/v1/heal/backups"


def change(system: System, path: str = "") -> dict[str, Any]:
    """Ask for a change and return its task as it ended."""
    buddy = system.buddy
    headers = {"Authorization": f"Bearer {buddy.token}", "Prefer": "respond-async"}
    answer = httpx.post(f"{buddy.url}{BACKUPS}{path}", headers=headers, timeout=15, trust_env=False)
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    return buddy.finish_task(answer.json()["data"]["taskID"])


def make_backup(system: System) -> str:
    task = change(system)
    assert task["status"] == "Completed", task
    return str(task["result"]["name"])


def make_it_talkative(config: dict[str, Any]) -> None:
    config["logging"]["level"] = "debug"


def break_it(config: dict[str, Any]) -> None:
    config["gateway"]["noSuchKey"] = 1


def test_a_restored_backup_is_what_the_gateway_runs_on(walked_system: System) -> None:
    pid = walked_system.ensure_running()
    openclaw = walked_system.openclaw
    before = openclaw.config
    name = make_backup(walked_system)
    with openclaw.edited(make_it_talkative):
        diff = walked_system.buddy.get(f"{BACKUPS}/{name}/diff").json()["data"]
        task = change(walked_system, f"/{name}/restore")
        after = openclaw.config

    assert [found for found in diff["changes"] if found["path"] == "logging.level"] == [
        {
            "file": "openclaw.json",
            "path": "logging.level",
            "op": "add",
            "old": None,
            "new": "debug",
            "secret": False,
        }
    ]
    assert openclaw.token not in str(diff)
    assert task["status"] == "Completed", task
    assert task["result"]["applied"] == "restart"
    assert walked_system.gateway_pids() == [task["result"]["pid"]] != [pid]
    assert after["logging"] == before["logging"]
    assert walked_system.is_ready()
    listed = walked_system.buddy.get(BACKUPS).json()["data"]["backups"]
    # good is what it was ready on for a minute, and only the watchdog says so
    made = [row for row in listed if row["reason"] != "known good"]
    assert [row["reason"] for row in made[:2]] == ["before restore", "manual"]
    assert [row["name"] for row in made[:2]] == [task["result"]["previous"], name]
    assert not any(row["reason"] == "known good" and row["taskID"] == task["taskID"] for row in listed)


def test_a_restored_backup_without_openclaws_own_stamp_is_not_undone_by_openclaw(
    walked_system: System,
) -> None:
    """The newer generation takes such a config for a damaged one, and puts its own newest backup back."""
    walked_system.ensure_running()
    openclaw, buddy = walked_system.openclaw, walked_system.buddy
    with openclaw.edited(lambda config: config.pop("meta", None)):
        name = make_backup(walked_system)
        for named in ("One", "Two"):  # OpenClaw stamps it, and then has a backup with its stamp
            task = buddy.finish("/v1/openclaw/bots/set-identity", id="main", name=named)
            assert task["status"] == "Completed", task
        task = change(walked_system, f"/{name}/restore")
        after = openclaw.config

    assert task["status"] == "Completed", task
    assert "meta" not in after
    assert "Two" not in json.dumps(after)
    assert "One" not in json.dumps(after)


def test_a_backup_that_openclaw_refuses_leaves_file_and_gateway_alone(walked_system: System) -> None:
    pid = walked_system.ensure_running()
    openclaw = walked_system.openclaw
    with openclaw.edited(break_it):
        name = make_backup(walked_system)
    before = openclaw.config_file.read_bytes()

    task = change(walked_system, f"/{name}/restore")

    assert (task["status"], task["errorCode"]) == ("Failed", "config_rejected"), task
    assert "noSuchKey" in task["error"]
    assert openclaw.config_file.read_bytes() == before
    assert walked_system.gateway_pids() == [pid]
    assert walked_system.is_ready()
