"""Find where a bot has its files."""

import asyncio
import json
from pathlib import Path

from buddy_common.adapters.read_model import ReadModel
from buddy_common.adapters.refresh_requests import RefreshRequests
from buddy_common.errors import UnknownBotError
from buddy_common.schemas.resources import Resource

ASK_SECONDS = 10.0


async def find_workspace(read_model: ReadModel, requests: RefreshRequests, *, node: str, bot: str) -> Path:
    """Return the workspace that OpenClaw names; a bot that is not known yet is asked for.

    Raises:
        UnknownBotError: OpenClaw has no bot of this id.
        BrokerUnavailableError: Redis did not answer.
    """
    workspace = await _listed(read_model, node, bot)
    if workspace is None:
        await requests.ask(node, resources=[Resource.BOTS_MODELS], seconds=ASK_SECONDS)
        workspace = await _listed(read_model, node, bot)
    if workspace is None:
        raise UnknownBotError(bot)
    return await asyncio.to_thread(Path(workspace).expanduser)


async def _listed(read_model: ReadModel, node: str, bot: str) -> str | None:
    entry = await read_model.get(node, Resource.BOTS_MODELS)
    bots = [] if entry is None else json.loads(entry.data)["bots"]
    found = next((row["workspace"] for row in bots if row["id"] == bot), None)
    return None if found is None else str(found)
