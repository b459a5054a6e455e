"""The jobs that change which skills OpenClaw has."""

from typing import Annotated, ClassVar

from pydantic import StringConstraints

from buddy_common.schemas.job import Job, Lane, NodeLock
from buddy_common.schemas.resources import Resource

# what a skill calls itself, in any language; it becomes an argument, but never a part of a path
SKILL_NAME = r"^[\w@](\.?[\w@ +:-])*$"
SkillName = Annotated[str, StringConstraints(pattern=SKILL_NAME, max_length=128)]


class UninstallSkillJob(Job):
    """Take a skill away that was installed for a bot, or for all."""

    task: ClassVar[str] = "buddy.skills.uninstall"
    title: ClassVar[str] = "Uninstall skill"
    module: ClassVar[str] = "skills"
    action: ClassVar[str] = "uninstall"
    lane: ClassVar[Lane] = Lane.SLOW
    deadline_seconds: ClassVar[float] = 180  # three commands of 3 s on an idle machine, 20 s on a busy one
    locks: ClassVar[frozenset[NodeLock]] = frozenset({NodeLock.CONFIG})
    changes: ClassVar[tuple[Resource, ...]] = (Resource.SKILLS,)

    name: SkillName
    agent: str | None = None  # None: the default bot

    @property
    def target(self) -> str | None:
        """The skill."""
        return self.name
