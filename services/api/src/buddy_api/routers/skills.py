"""The skills of a node's default bot."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict

from buddy_api.changes import Change, Changed, change_responses
from buddy_api.deps import BOT_ID, LIST_ERRORS, Caller, Node, Wired
from buddy_api.envelope import Envelope, ok, problems
from buddy_api.mirrored import Mirrored, Rows
from buddy_api.node_lists import Mirror
from buddy_api.openclaw_schemas import Skill
from buddy_api.usecases.reload_skills import reload_skills
from buddy_common.errors import (
    BundledSkillError,
    CrossOriginError,
    OpenClawCliError,
    OpenClawNotFoundError,
    ReaderSilentError,
    SkillElsewhereError,
    SkillsNotReadError,
    SkillStillListedError,
    StateUnwritableError,
    UnknownBotError,
    UnknownSkillError,
)
from buddy_common.schemas.resources import Resource
from buddy_common.schemas.skill_jobs import SKILL_NAME, UninstallSkillJob

router = APIRouter(prefix="/v1/openclaw/skills", tags=["skills"])


@router.get("", response_model=Envelope[Mirrored[list[Skill]]], responses=problems(*LIST_ERRORS))
async def skills(
    mirror: Mirror,
    *,
    installed: Annotated[bool, Query(description="Without those that OpenClaw brings along")] = False,
) -> Response:
    """List the skills with what each still lacks to be usable."""
    listed = await mirror.get(Resource.SKILLS)
    if installed:
        listed, _ = await mirror.part(Resource.SKILLS, listed, "installed", _installed)
    return await mirror.nested(listed)


def _installed(rows: Rows) -> tuple[Rows, int]:
    found = [row for row in rows if row.get("bundled") is not True]
    return found, len(found)


@router.delete(
    "/{name}",
    response_model=Envelope[Changed],
    responses=change_responses(
        BundledSkillError,
        OpenClawCliError,
        OpenClawNotFoundError,
        SkillElsewhereError,
        SkillStillListedError,
        StateUnwritableError,
        UnknownBotError,
        UnknownSkillError,
    ),
)
async def uninstall(
    change: Change,
    name: Annotated[str, Path(pattern=SKILL_NAME, max_length=128, description="What the list calls it")],
    agent: Annotated[
        str | None, Query(pattern=BOT_ID, description="Whose skill; the default bot's otherwise")
    ] = None,
) -> Response:
    """Uninstall a skill of a workspace or of OpenClaw's state; `result` says where its folder is kept."""
    return await change.make(UninstallSkillJob(name=name, agent=agent), "技能已卸载")


class SkillsReloaded(BaseModel):
    """How many skills the default bot has."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"status": "success", "message": "技能已重新加载", "count": 57}}
    )

    status: Literal["success"] = "success"
    message: str = "技能已重新加载"
    count: int


@router.post(
    "/reload", responses=problems(*LIST_ERRORS, CrossOriginError, ReaderSilentError, SkillsNotReadError)
)
async def reload(caller: Caller, node: Node, w: Wired) -> Envelope[SkillsReloaded]:
    """Read the skills anew; OpenClaw itself follows its folders."""
    count = await reload_skills(
        w.database, w.requests, w.read_model, node=node, operator=caller, seconds=w.config.web.wait_seconds
    )
    return ok(SkillsReloaded(count=count))
