"""What the routes do on the real OpenClaw while no gateway runs: they work, or say that they cannot."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from openclaw_changes import SECOND, TOUCHED_BY_OPENCLAW, Changer, borrowed, is_exactly
from openclaw_system import System

pytestmark = [pytest.mark.openclaw, pytest.mark.faults, pytest.mark.timeout(900)]

SKILL = "standin-notes"
TEXT = f"---\nname: {SKILL}\ndescription: Keeps notes for a test.\n---\n\nWrite the note down.\n"
BACKUPS = "/v1/heal/backups"


@pytest.fixture
def down(each_system: System) -> Iterator[Changer]:
    """A system without a gateway; afterwards one runs, on the file of before."""
    for changer in borrowed(each_system):
        each_system.ensure_stopped()
        yield changer


def finish(system: System, method: str, path: str) -> dict[str, Any]:
    """Ask for a change and return its task as it ended."""
    answer = system.buddy.request(method, path, headers={"Prefer": "respond-async"})
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    return system.buddy.finish_task(answer.json()["data"]["taskID"])


@pytest.mark.parametrize("body", [{}, {"id": "telegram"}], ids=["all", "one"])
def test_plugins_cannot_be_loaded_anew_by_a_gateway_that_is_not_there(
    down: Changer, body: dict[str, str]
) -> None:
    before = down.system.openclaw.config_file.read_bytes()

    answer = down.system.buddy.request("POST", "/v1/openclaw/plugins/reload", json=body or None)

    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text
    assert answer.json()["data"]["error"] == "gateway_not_running"
    assert "load plugins anew" in answer.json()["message"]
    assert down.system.openclaw.config_file.read_bytes() == before
    assert down.system.gateway_pids() == []


def test_skills_are_read_anew_and_deleted(down: Changer) -> None:
    system = down.system
    folder = system.openclaw.config_dir / "skills" / SKILL
    folder.mkdir(parents=True)
    (folder / "SKILL.md").write_text(TEXT)

    def is_listed() -> bool:
        reloaded = system.buddy.post("/v1/openclaw/skills/reload")
        if reloaded.status_code != httpx.codes.OK:  # OpenClaw's own command may take longer than a request
            assert reloaded.status_code in (503, 504), reloaded.text
            return False
        rows = system.buddy.get("/v1/openclaw/skills", installed="true").json()["data"]["data"]
        return SKILL in {row["name"] for row in rows}

    system.buddy.until(is_listed, what="the skill is listed")
    task = finish(system, "DELETE", f"/v1/openclaw/skills/{SKILL}")

    assert task["status"] == "Completed", task["error"]
    assert not folder.exists()
    assert (Path(task["result"]["archived"]) / "SKILL.md").read_text() == TEXT
    system.buddy.until(lambda: not is_listed(), what="the skill is not listed any more")
    again = finish(system, "DELETE", f"/v1/openclaw/skills/{SKILL}")
    assert (again["status"], again["errorCode"]) == ("Failed", "unknown_skill"), again
    assert system.gateway_pids() == []


def test_a_backup_is_made_read_compared_and_restored_for_the_next_start(down: Changer) -> None:
    system, openclaw = down.system, down.system.openclaw
    made = finish(system, "POST", BACKUPS)
    assert made["status"] == "Completed", made
    name, before = made["result"]["name"], openclaw.config_file.read_bytes()
    assert down.completed("models/provider", **SECOND)

    shown = system.buddy.get(f"{BACKUPS}/{name}").json()["data"]["contents"][0]["content"]
    diff = system.buddy.get(f"{BACKUPS}/{name}/diff").json()["data"]["changes"]
    task = finish(system, "POST", f"{BACKUPS}/{name}/restore")

    assert json.loads(shown)["gateway"]["port"] == openclaw.port
    assert openclaw.token not in shown
    paths = {row["path"] for row in diff if row["path"].split(".")[0] not in TOUCHED_BY_OPENCLAW}
    assert is_exactly(paths, "models.providers.second"), diff
    assert SECOND["apiKey"] not in str(diff)
    assert task["status"] == "Completed", task
    assert task["result"]["applied"] == "next start"
    assert openclaw.config_file.read_bytes() == before
    assert system.gateway_pids() == []
    listed = system.buddy.get(BACKUPS).json()["data"]["backups"]
    assert [row["reason"] for row in listed[:3]] == ["before restore", "before change", "manual"]
    system.ensure_running()
    assert "second" not in down.config["models"]["providers"]
    assert system.is_ready()


def test_a_backup_that_openclaw_refuses_is_not_restored(down: Changer) -> None:
    system, openclaw = down.system, down.system.openclaw
    with openclaw.edited(lambda config: config["gateway"].update(noSuchKey=1)):
        name = finish(system, "POST", BACKUPS)["result"]["name"]
    before = openclaw.config_file.read_bytes()

    task = finish(system, "POST", f"{BACKUPS}/{name}/restore")

    assert (task["status"], task["errorCode"]) == ("Failed", "config_rejected"), task
    assert "noSuchKey" in task["error"]
    assert openclaw.config_file.read_bytes() == before
    assert system.gateway_pids() == []
