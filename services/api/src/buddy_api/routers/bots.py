"""The bots of a node: who they are, how much they are asked, and their files."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from buddy_api.changes import Change, job_responses
from buddy_api.deps import BOT_ID, LIST_ERRORS, NODE_ERRORS, Caller, IfMatch, IfNoneMatch, Node, Wired
from buddy_api.envelope import Envelope, ok, problems
from buddy_api.etags import conditional, required
from buddy_api.mirrored import Mirrored, Rows
from buddy_api.node_lists import Mirror
from buddy_api.openclaw_schemas import BotFile, BotRank, BotsModels
from buddy_api.usecases.rank_bots import current_day, rank_bots
from buddy_api.usecases.read_bot_file import read_bot_file
from buddy_common.adapters.agent_files import TYPES, file_tag
from buddy_common.errors import (
    BotFileError,
    BrokerUnavailableError,
    FileChangedError,
    NotReportedError,
    ReaderSilentError,
    StateUnwritableError,
    UnknownBotError,
    UnknownBotFileError,
)
from buddy_common.schemas.bot_file_jobs import FileContent, WriteBotFileJob
from buddy_common.schemas.resources import Resource

# a visible file of the workspace, or one in a folder of it
_PART = "[A-Za-z0-9_\u4e00-\u9fff][A-Za-z0-9_.\u4e00-\u9fff-]*"
FILE_NAME = rf"^{_PART}(/{_PART}){{0,3}}$"
FILE_TYPE = f"^({'|'.join(TYPES)})$"

router = APIRouter(prefix="/v1/openclaw", tags=["bots"])


@router.get("/bots-models", response_model=Envelope[Mirrored[BotsModels]], responses=problems(*LIST_ERRORS))
async def bots_models(mirror: Mirror) -> Response:
    """List the bots and the models that they may use."""
    return await mirror.nested(await mirror.get(Resource.BOTS_MODELS))


@router.get("/bots/top", response_model=Envelope[Mirrored[list[BotRank]]], responses=problems(*LIST_ERRORS))
async def bots_top(
    mirror: Mirror,
    limit: Annotated[int, Query(ge=1, le=1000)] = 3,
    days: Annotated[int, Query(ge=1, le=90, description="How far back, today included (UTC)")] = 30,
) -> Response:
    """Rank the bots by how often people asked them; heartbeats, jobs and other agents do not count."""
    listed = await mirror.get(Resource.BOTS_TOP)
    today = current_day()

    def rank(rows: Rows) -> tuple[Rows, int]:
        return rank_bots(rows, days=days, today=today)[:limit], len(rows)

    ranked, total = await mirror.part(Resource.BOTS_TOP, listed, (days, limit, today), rank)
    return await mirror.nested(ranked, total=total)


@router.get(
    "/bots/file",
    response_model=Envelope[BotFile],
    responses=problems(
        *NODE_ERRORS,
        BrokerUnavailableError,
        NotReportedError,
        ReaderSilentError,
        BotFileError,
        UnknownBotError,
        UnknownBotFileError,
    ),
)
async def bot_file(
    _caller: Caller,
    node: Node,
    w: Wired,
    bot_id: Annotated[str, Query(alias="id", pattern=BOT_ID, description="The bot")],
    kind: Annotated[str | None, Query(alias="type", pattern=FILE_TYPE)] = None,
    filename: Annotated[str | None, Query(pattern=FILE_NAME, max_length=200)] = None,
    known: IfNoneMatch = None,
) -> Response:
    """Return a file of the bot's workspace: its SOUL.md, or the one named by `type` or `filename`."""
    name = filename or TYPES[kind or "soul"]
    file = await read_bot_file(
        w.requests, node=node, bot=bot_id, name=name, seconds=w.config.web.wait_seconds
    )
    # of the file and not of this answer: a client that writes it sends it back as `If-Match`
    tag = file_tag(file.content.encode())
    return conditional(ok(file).model_dump_json().encode(), tag, known)


class SaveBotFile(BaseModel):
    """What a file of a bot is to hold."""

    model_config = ConfigDict(json_schema_extra={"example": {"id": "bot_1", "content": "# SOUL\n…"}})

    id: str = Field(pattern=BOT_ID, description="The bot")
    content: FileContent = Field(description="The whole text, at most 2 MiB as UTF-8")
    kind: str | None = Field(default=None, alias="type", pattern=FILE_TYPE)
    filename: str | None = Field(default=None, pattern=FILE_NAME, max_length=200)


class BotFileSaved(BaseModel):
    """A file of a bot as it was read back; `etag` is for the next `If-Match`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "status": "success",
                "message": "文件已保存",
                "taskID": "task-1774656000-9f3c1a7e",
                "name": "SOUL.md",
                "size": 1673,
                "etag": '"5f1c9a0be3b04d6a8a0c6d7f0e2b9c41"',
                "updatedAt": "2026-03-28T10:00:00+00:00",
            }
        }
    )

    status: str
    message: str
    taskID: str  # noqa: N815 - the guide's name
    name: str
    size: int
    etag: str
    updatedAt: str  # noqa: N815 - the guide's style


@router.post(
    "/bots/file",
    response_model=Envelope[BotFileSaved],
    responses=job_responses(BotFileError, FileChangedError, StateUnwritableError, UnknownBotError),
)
async def save_bot_file(body: SaveBotFile, change: Change, if_match: IfMatch = None) -> Response:
    """Write a file of the bot's workspace: its SOUL.md, or the one named by `type` or `filename`."""
    name = body.filename or TYPES[body.kind or "soul"]
    job = WriteBotFileJob(bot=body.id, name=name, content=body.content, if_match=required(if_match))
    return await change.make(job, "文件已保存", flat=True)
