"""Skills, and why one stays."""

from http import HTTPStatus

from buddy_common.errors.base import BuddyError
from buddy_common.errors.requests import NotFoundError


class UnknownSkillError(NotFoundError):
    """OpenClaw lists no skill of this name."""

    error = "unknown_skill"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no skill {name!r}. `GET /v1/openclaw/skills` lists them.")


class BundledSkillError(BuddyError):
    """The skill came with OpenClaw, a plugin or another folder; only installed ones can go."""

    error = "bundled_skill"
    status = HTTPStatus.FORBIDDEN

    def __init__(self, name: str, *, source: str) -> None:
        super().__init__(
            f"The skill {name!r} is none that was installed into the bot's workspace or into OpenClaw's"
            f" state ({source}). It stays; `skills.entries.<key>.enabled: false` turns it off.",
            source=source,
        )


class SkillElsewhereError(BuddyError):
    """The folder of the skill is not where skills are installed, so Buddy leaves it alone."""

    error = "skill_elsewhere"
    status = HTTPStatus.CONFLICT

    def __init__(self, folder: str) -> None:
        super().__init__(
            f"{folder} is no folder in the bot's `skills` or in OpenClaw's. Remove it by hand.", folder=folder
        )


class SkillStillListedError(BuddyError):
    """The folder is gone, but OpenClaw lists a skill of this name from the same place."""

    error = "skill_still_listed"
    status = HTTPStatus.BAD_GATEWAY

    def __init__(self, name: str, *, archived: str) -> None:
        super().__init__(
            f"OpenClaw still lists {name!r}: another folder may have a skill of this name. Delete it again."
            f" What was deleted now is in {archived}.",
            archived=archived,
        )


class SkillsNotReadError(BuddyError):
    """OpenClaw did not say which skills there are."""

    error = "skills_not_read"
    status = HTTPStatus.BAD_GATEWAY

    def __init__(self) -> None:
        super().__init__("OpenClaw did not list its skills; logs/worker-*.log of the node says why.")
