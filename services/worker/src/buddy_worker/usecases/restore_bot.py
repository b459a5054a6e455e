"""Bring back a bot that was deleted."""

import asyncio
from contextlib import suppress
from pathlib import Path

from buddy_common.adapters.bot_archive import Archived
from buddy_common.adapters.finishing import to_its_end
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.openclaw_config import Config
from buddy_common.errors import StateUnwritableError
from buddy_worker.edits.agents import add_entry
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.bot_workspaces import is_in_config, main_workspace
from buddy_worker.usecases.known_things import is_new_openclaw
from buddy_worker.usecases.put_bot import BotPut, put_bot


class BotRestored(BotPut):
    """A bot that is there again."""

    id: str
    archive: str


async def restore_bot(
    job: RunningJob[AnyJob], *, bot: str, archive: str | None, base_hash: str | None
) -> BotRestored:
    """Move the bot's folders back, then put its entry into the config.

    Raises:
        UnknownArchiveError: nothing is kept of it.
        BotExistsError: there is one of this id again.
        WorkspaceInUseError: something else lies where its folders were.
        BuddyError: as of `put_bot`.
    """
    host = job.host
    archived = await asyncio.to_thread(host.bot_archive.find, bot, archive)
    is_new = await is_new_openclaw(host)
    config = (await asyncio.to_thread(host.config_files.read)).config
    main = await main_workspace(host, config)
    entry = {key: value for key, value in archived.entry.items() if key != "id"}

    def edit(config: Config) -> None:
        add_entry(config, bot, dict(entry), is_new=is_new, main_workspace=main)

    edit(config)
    await job.stage("moving the workspace back", 5)
    held = await asyncio.to_thread(host.bot_archive.held, archived)
    try:
        await to_its_end(asyncio.to_thread(host.bot_archive.give_back, held))
        await to_its_end(asyncio.to_thread(host.bot_archive.give_sessions_back, archived))
        changed = await put_bot(job, bot, edit, workspace=_workspace(host, archived), base_hash=base_hash)
    except BaseException:
        await to_its_end(asyncio.to_thread(_settle, host, held))
        raise
    await to_its_end(asyncio.to_thread(host.bot_archive.drop, archived.name))
    return BotRestored(id=bot, archive=archived.name, **changed.model_dump())


def _workspace(host: HostPlane, archived: Archived) -> Path:
    """Return where its workspace was, or would be."""
    written = archived.folders.get("workspace") or archived.entry.get("workspace")
    own = host.gateway_settings.config_dir.absolute() / f"workspace-{archived.bot}"
    return Path(str(written)).expanduser() if written else own


def _settle(host: HostPlane, held: Archived) -> None:
    """Take back what was given, unless the bot is there although its way back broke off."""
    if is_in_config(host, held.bot) is False:
        with suppress(StateUnwritableError):  # why it broke off is what there is to tell
            host.bot_archive.take_in(held)
