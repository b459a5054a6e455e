"""Uninstalling a skill: which may go, and what is looked at afterwards."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from buddy_common.errors import (
    BundledSkillError,
    OpenClawCliError,
    SkillElsewhereError,
    SkillStillListedError,
    UnknownSkillError,
)
from buddy_worker.audited import Made
from buddy_worker.usecases.uninstall_skill import SkillUninstalled, uninstall_skill
from fakes.progress import RecordingProgress

Row = dict[str, Any]


@dataclass
class FakeOpenClaw:
    """Lists the skills whose folders are there."""

    skills: list[Row]
    broken: bool = False

    async def info(self, name: str) -> Row:
        for row in await self.rows():
            if not self.broken and name in (row["name"], row["skillKey"]):
                return row
        raise OpenClawCliError("no", exit_code=1, signal=None)

    async def rows(self) -> list[Row]:
        seen: dict[str, Row] = {}
        for row in self.skills:
            if row.get("always") or await asyncio.to_thread(os.path.exists, str(row["baseDir"])):
                seen.setdefault(row["name"], row)
        return list(seen.values())


def skill(folder: Path, name: str = "mine", source: str = "openclaw-workspace", **more: Any) -> Row:
    folder.mkdir(parents=True, exist_ok=True)
    bundled = source == "openclaw-bundled"
    return {
        "name": name, "skillKey": f"key-of-{name}", "source": source, "bundled": bundled,
        "baseDir": str(folder), **more,
    }  # fmt: skip


def kept(top: Path) -> list[str]:
    return [str(folder) for folder in (top / "archive" / "skills").iterdir()]


async def uninstall(openclaw: FakeOpenClaw, top: Path, name: str = "mine") -> SkillUninstalled:
    return await uninstall_skill(
        openclaw,
        RecordingProgress(),
        name=name,
        workspace=top / "workspace",
        state_dir=top / "state",
        archive=top / "archive",
    )


@pytest.mark.parametrize(
    ("place", "source"), [("workspace", "openclaw-workspace"), ("state", "openclaw-managed")]
)
async def test_installed_skill_goes_and_the_result_says_where_it_is(
    place: str, source: str, tmp_path: Path
) -> None:
    folder = tmp_path / place / "skills" / "folder"

    done = await uninstall(FakeOpenClaw([skill(folder, source=source)]), tmp_path)

    assert not folder.exists()
    assert done.archived in kept(tmp_path)
    assert done.model_dump(exclude={"archived"}) == {
        "name": "mine",
        "source": source,
        "lockEntryRemoved": False,
        "nowFrom": None,
    }
    assert done.made == [Made("skill mine", {"source": source, "folder": str(folder)}, None)]


async def test_skill_that_it_had_covered_is_told(tmp_path: Path) -> None:
    own = skill(tmp_path / "workspace" / "skills" / "weather", "weather")
    bundled = skill(tmp_path / "openclaw" / "weather", "weather", "openclaw-bundled")

    done = await uninstall(FakeOpenClaw([own, bundled]), tmp_path, "weather")

    assert done.nowFrom == "openclaw-bundled"


@pytest.mark.parametrize("source", ["openclaw-bundled", "openclaw-extra", "openclaw-plugin", "None"])
async def test_skill_of_another_source_stays(source: str, tmp_path: Path) -> None:
    folder = tmp_path / "workspace" / "skills" / "mine"

    with pytest.raises(BundledSkillError):
        await uninstall(FakeOpenClaw([skill(folder, source=source)]), tmp_path)

    assert folder.is_dir()


async def test_bundled_skill_stays_whatever_its_source_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "workspace" / "skills" / "mine"

    with pytest.raises(BundledSkillError):
        await uninstall(FakeOpenClaw([skill(folder, bundled=True)]), tmp_path)

    assert folder.is_dir()


@pytest.mark.parametrize("name", ["ghost", "key-of-mine"])
async def test_skill_that_is_not_listed_is_unknown(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "workspace" / "skills" / "mine"

    with pytest.raises(UnknownSkillError):
        await uninstall(FakeOpenClaw([skill(folder)]), tmp_path, name)

    assert folder.is_dir()


async def test_failure_of_openclaw_is_not_taken_for_an_unknown_skill(tmp_path: Path) -> None:
    folder = tmp_path / "workspace" / "skills" / "mine"

    with pytest.raises(OpenClawCliError):
        await uninstall(FakeOpenClaw([skill(folder)], broken=True), tmp_path)

    assert folder.is_dir()


@pytest.mark.parametrize("folder", ["/etc", "skills/mine", "", None, 5, "/\0"])
async def test_folder_elsewhere_stays(folder: object, tmp_path: Path) -> None:
    row = skill(tmp_path / "workspace" / "skills" / "mine", always=True)

    with pytest.raises(SkillElsewhereError):
        await uninstall(FakeOpenClaw([row | {"baseDir": folder}]), tmp_path)


async def test_skill_that_openclaw_still_lists_is_a_failure_that_says_where_it_is(tmp_path: Path) -> None:
    row = skill(tmp_path / "workspace" / "skills" / "mine", always=True)

    with pytest.raises(SkillStillListedError) as failure:
        await uninstall(FakeOpenClaw([row]), tmp_path)

    assert failure.value.detail["archived"] in kept(tmp_path)
