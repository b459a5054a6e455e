"""Uninstall a skill, which no generation of OpenClaw has a command for."""

import asyncio
from pathlib import Path
from typing import Any, Protocol

from buddy_common.adapters.finishing import to_its_end
from buddy_common.adapters.skill_folders import archive_skill, forget_skill
from buddy_common.errors import (
    BundledSkillError,
    OpenClawCliError,
    SkillElsewhereError,
    SkillStillListedError,
    UnknownSkillError,
)
from buddy_common.ports import Progress
from buddy_worker.audited import Audited, Made

# what was installed, by `openclaw skills install`, by ClawHub or by hand
_INSTALLED = frozenset({"openclaw-managed", "openclaw-workspace"})


class SkillCommands(Protocol):
    """What OpenClaw says of one bot's skills."""

    async def info(self, name: str) -> dict[str, Any]:
        """Return one skill; raise OpenClawCliError, also where there is none."""
        ...

    async def rows(self) -> list[dict[str, Any]]:
        """Return all of them."""
        ...


class SkillUninstalled(Audited):
    """A skill that OpenClaw does not list any more, and where its folder is kept."""

    name: str
    source: str
    archived: str
    lockEntryRemoved: bool  # noqa: N815 - the guide's style
    nowFrom: str | None  # noqa: N815 - where a skill of the same name comes from that it had covered


async def uninstall_skill(
    commands: SkillCommands,
    progress: Progress,
    *,
    name: str,
    workspace: Path,
    state_dir: Path,
    archive: Path,
) -> SkillUninstalled:
    """Move the skill's folder into the archive, and look whether OpenClaw still lists it.

    Raises:
        UnknownSkillError: OpenClaw lists no such skill.
        BundledSkillError: it was not installed into a workspace or into the state.
        SkillElsewhereError: its folder is not where skills are installed.
        SkillStillListedError: OpenClaw lists it all the same.
        StateUnwritableError: it cannot be moved; it is where it was.
        OpenClawCliError: OpenClaw did not say what skills there are.
    """
    await progress.stage("looking for the skill", 10)
    skill = await _find(commands, name)
    source, folder = str(skill.get("source")), skill.get("baseDir")
    if skill.get("bundled") is True or source not in _INSTALLED:
        raise BundledSkillError(name, source=source)
    if not isinstance(folder, str) or not Path(folder).is_absolute():
        raise SkillElsewhereError(str(folder))
    await progress.stage("moving its folder", 50)
    archived, forgotten = await to_its_end(
        asyncio.to_thread(_take_away, Path(folder), [workspace, state_dir], archive)
    )
    await progress.line(f"{folder} is in {archived} now")
    await progress.stage("checking", 60)
    left = [row for row in await commands.rows() if row.get("name") == name]
    if any(row.get("source") == source for row in left):
        raise SkillStillListedError(name, archived=str(archived))
    now_from = str(left[0].get("source")) if left else None
    return SkillUninstalled(
        name=name,
        source=source,
        archived=str(archived),
        lockEntryRemoved=forgotten,
        nowFrom=now_from,
        made=[Made(f"skill {name}", {"source": source, "folder": str(folder)}, now_from)],
    )


async def _find(commands: SkillCommands, name: str) -> dict[str, Any]:
    try:
        skill = await commands.info(name)
    except OpenClawCliError:  # the exit code is the same for "there is none" and for what is really wrong
        if any(row.get("name") == name for row in await commands.rows()):
            raise
        raise UnknownSkillError(name) from None
    if skill.get("name") != name:  # it also answers to the key of a skill
        raise UnknownSkillError(name)
    return skill


def _take_away(folder: Path, owners: list[Path], archive: Path) -> tuple[Path, bool]:
    archived, owner = archive_skill(folder, owners=owners, archive=archive)
    return archived, forget_skill(owner, folder.name)
