"""The bots of a node: who they are, how much they are asked, and their files."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from buddy_api.deps import BOT_ID, LIST_ERRORS, NODE_ERRORS, Caller, IfNoneMatch, Node, Wired
from buddy_api.envelope import Envelope, ok, problems
from buddy_api.etags import conditional, tagged
from buddy_api.mirrored import Mirrored, Rows
from buddy_api.node_lists import Mirror
from buddy_api.openclaw_schemas import BotFile, BotRank, BotsModels
from buddy_api.usecases.rank_bots import current_day, rank_bots
from buddy_api.usecases.read_bot_file import read_bot_file
from buddy_common.adapters.agent_files import TYPES
from buddy_common.errors import (
    BotFileError,
    BrokerUnavailableError,
    ReaderSilentError,
    UnknownBotError,
    UnknownBotFileError,
)
from buddy_common.schemas.resources import Resource

# a visible file of the workspace, or one in a folder of it
_PART = "[A-Za-z0-9_\u4e00-\u9fff][A-Za-z0-9_.\u4e00-\u9fff-]*"
FILE_NAME = rf"^{_PART}(/{_PART}){{0,3}}$"

router = APIRouter(prefix="/v1/openclaw", tags=["bots"])


@router.get("/bots-models", response_model=Envelope[Mirrored[BotsModels]], responses=problems(*LIST_ERRORS))
async def bots_models(mirror: Mirror) -> Response:
    """List the bots and the models that they may use."""
    return mirror.nested(await mirror.get(Resource.BOTS_MODELS))


@router.get("/bots/top", response_model=Envelope[Mirrored[list[BotRank]]], responses=problems(*LIST_ERRORS))
async def bots_top(
    mirror: Mirror,
    limit: Annotated[int, Query(ge=1, le=1000)] = 3,
    days: Annotated[int, Query(ge=1, le=90, description="How far back, today included (UTC)")] = 30,
) -> Response:
    """Rank the bots by how often people asked them, most asked first."""
    listed = await mirror.get(Resource.BOTS_TOP)
    today = current_day()

    def rank(rows: Rows) -> tuple[Rows, int]:
        return rank_bots(rows, days=days, today=today)[:limit], len(rows)

    ranked, total = await mirror.part(Resource.BOTS_TOP, listed, (days, limit, today), rank)
    return mirror.nested(ranked, total=total)


@router.get(
    "/bots/file",
    response_model=Envelope[BotFile],
    responses=problems(
        *NODE_ERRORS,
        BrokerUnavailableError,
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
    kind: Annotated[str | None, Query(alias="type", pattern=f"^({'|'.join(TYPES)})$")] = None,
    filename: Annotated[str | None, Query(pattern=FILE_NAME, max_length=200)] = None,
    known: IfNoneMatch = None,
) -> Response:
    """Return a file of the bot's workspace: its SOUL.md, or the one named by `type` or `filename`."""
    name = filename or TYPES[kind or "soul"]
    file = await read_bot_file(
        w.requests, node=node, bot=bot_id, name=name, seconds=w.config.web.wait_seconds
    )
    tag, content = tagged(ok(file))
    return conditional(content, tag, known)
