"""Change what the config says of a bot."""

import asyncio
from typing import Any

from buddy_common.adapters.openclaw_config import Config
from buddy_common.errors import InvalidRequestError
from buddy_worker.edits import bots
from buddy_worker.edits.agents import require_bot
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.bot_workspaces import require_workspace
from buddy_worker.usecases.change_config import ConfigChanged, change_config
from buddy_worker.usecases.known_things import is_new_openclaw, known_models


async def update_bot(
    job: RunningJob[AnyJob], *, bot: str, fields: dict[str, Any], base_hash: str | None
) -> ConfigChanged:
    """Change the fields that are given; a key whose value is null goes, objects are merged.

    Raises:
        UnknownBotError: there is no such bot.
        UnknownModelError: no configured provider has the model.
        InvalidRequestError: a key is not for clients to change, or the workspace none that a bot may have.
        WorkspaceInUseError: the workspace is that of another bot.
        BuddyError: as of `change_config`.
    """
    host = job.host
    is_new, known = await is_new_openclaw(host), await known_models(host)
    workspace = fields.get("workspace")
    if workspace is not None:
        if not isinstance(workspace, str):
            raise InvalidRequestError("config.workspace: give a path.")
        config = (await asyncio.to_thread(host.config_files.read)).config
        require_bot(config, bot)
        await require_workspace(host, config, bot=bot, folder=workspace)

    def edit(config: Config) -> None:
        bots.update(config, bot, fields, is_new=is_new, known=known)

    return await change_config(job, edit, base_hash=base_hash)
