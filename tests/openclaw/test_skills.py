"""A skill of our own on the real OpenClaw: seen, uninstalled into the archive, and gone for OpenClaw too."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openclaw_system import System

pytestmark = pytest.mark.openclaw

NAME = "standin-notes"
TEXT = f"---\nname: {NAME}\ndescription: Keeps notes for a test.\n---\n\nWrite the note down.\n"


@pytest.fixture
def skill(walked_system: System) -> Iterator[Path]:
    """The folder of a skill among those that OpenClaw shares between its agents."""
    folder = walked_system.openclaw.config_dir / "skills" / NAME
    folder.mkdir(parents=True)
    (folder / "SKILL.md").write_text(TEXT)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def listed(system: System, **query: str) -> dict[str, dict[str, Any]]:
    """Return the skills by their names."""
    rows = system.buddy.get("/v1/openclaw/skills", **query).json()["data"]["data"]
    return {row["name"]: row for row in rows}


def uninstall(system: System, name: str) -> dict[str, Any]:
    answer = system.buddy.request(
        "DELETE", f"/v1/openclaw/skills/{name}", headers={"Prefer": "respond-async"}
    )
    assert answer.status_code == 202, answer.text
    return system.buddy.finish_task(answer.json()["data"]["taskID"])


def test_a_skill_of_our_own_is_listed_and_after_its_uninstallation_is_not(
    walked_system: System, skill: Path
) -> None:
    def is_listed() -> bool:
        reloaded = walked_system.buddy.post("/v1/openclaw/skills/reload")
        assert reloaded.status_code == 200, reloaded.text
        return NAME in listed(walked_system, installed="true")

    # a gateway of the newer generation notices what happens in its folders by and by
    walked_system.buddy.until(is_listed, what="the skill is listed")
    row = listed(walked_system, installed="true")[NAME]
    assert (row["bundled"], row["source"]) == (False, "openclaw-managed")

    task = uninstall(walked_system, NAME)

    assert task["status"] == "Completed", task["error"]
    assert not skill.exists()
    assert (Path(task["result"]["archived"]) / "SKILL.md").read_text() == TEXT
    walked_system.buddy.until(lambda: not is_listed(), what="the skill is not listed any more")
    told = walked_system.openclaw.ask("skills", "list")
    assert NAME not in {row["name"] for row in told["skills"]}


def test_a_skill_that_openclaw_brings_along_stays(walked_system: System) -> None:
    before = listed(walked_system)
    name = next(name for name, row in before.items() if row["bundled"])

    task = uninstall(walked_system, name)

    assert (task["status"], task["errorCode"]) == ("Failed", "bundled_skill")
    assert listed(walked_system)[name] == before[name]
