"""Take a bot out, and keep what it was: its entry, its workspace and its sessions."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from buddy_common.adapters.bot_archive import Archived
from buddy_common.adapters.finishing import to_its_end
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.openclaw_config import Config, agents_of
from buddy_common.errors import StateUnwritableError
from buddy_worker.edits.agents import entry_of, remove_entry
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.bot_workspaces import is_in_config, workspaces_of
from buddy_worker.usecases.change_config import ConfigChanged, change_config
from buddy_worker.usecases.known_things import is_new_openclaw, known_workspaces
from buddy_worker.usecases.patch_config import Instead


class BotDeleted(ConfigChanged):
    """A bot that is gone, and where the rest of it is."""

    id: str
    archive: str  # what `bots/restore` takes
    workspaceKept: str | None  # noqa: N815 - where it is still, since others use it or it lies elsewhere


async def delete_bot(job: RunningJob[AnyJob], *, bot: str, base_hash: str | None) -> BotDeleted:
    """Take a bot out of the config, then move its folders into the archive.

    Raises:
        UnknownBotError: there is no such bot.
        ProtectedBotError: it is the default one, or the last.
        BuddyError: as of `change_config`.
    """
    host = job.host
    config = (await asyncio.to_thread(host.config_files.read)).config
    is_new = await is_new_openclaw(host)
    entry = dict(entry_of(config, bot, is_new=is_new))
    told = await known_workspaces(host)
    workspace, is_own = await asyncio.to_thread(_workspace, job, config, bot, told)
    remove_entry(config, bot)  # what is wrong with it, is wrong before anything is written
    state_dir = host.gateway_settings.config_dir.absolute()
    folders = {"workspace": workspace if is_own else None, "agent": state_dir / "agents" / bot}
    archived = await asyncio.to_thread(host.bot_archive.begin, bot, entry=entry, folders=folders)

    def is_gone(config: Config) -> bool:
        return bot not in {agent.id for agent in agents_of(config)}

    def edit(config: Config) -> None:
        if not is_gone(config):  # an earlier try may have told nobody that it was made
            remove_entry(config, bot)

    try:
        await to_its_end(asyncio.to_thread(host.bot_archive.keep_sessions, archived))
        changed = await change_config(
            job,
            edit,
            base_hash=base_hash,
            instead=Instead("agents.delete", {"agentId": bot, "deleteFiles": False}, is_gone),
        )
        await job.stage("moving the workspace into the archive", 97)
    except BaseException:
        await to_its_end(asyncio.to_thread(_settle, host, archived))
        raise
    await to_its_end(asyncio.to_thread(host.bot_archive.take_in, archived))
    is_kept = not is_own and await asyncio.to_thread(workspace.exists)
    kept = str(workspace) if is_kept else None
    return BotDeleted(id=bot, archive=archived.name, workspaceKept=kept, **changed.model_dump())


def _settle(host: HostPlane, archived: Archived) -> None:
    """Keep what was a bot's that is gone although its deletion broke off; of one that is there, nothing."""
    is_there = is_in_config(host, archived.bot)
    if is_there:
        host.bot_archive.drop(archived.name)
    elif is_there is False:
        with suppress(StateUnwritableError):  # why it broke off is what there is to tell
            host.bot_archive.take_in(archived)


def _workspace(
    job: RunningJob[AnyJob], config: Config, bot: str, told: Mapping[str, str]
) -> tuple[Path, bool]:
    """Return the workspace, and whether it is the bot's alone and lies in OpenClaw's folder."""
    state_dir = job.host.gateway_settings.config_dir.absolute()
    written = next(agent.workspace for agent in agents_of(config) if agent.id == bot)
    folder = Path(written or told.get(bot) or state_dir / f"workspace-{bot}")
    if folder.parts[:1] == ("~",):
        folder = folder.expanduser()
    others = {
        path
        for name, paths in workspaces_of(config, state_dir, told).items()
        for path in paths
        if name != bot
    }
    real = folder.resolve()
    shared = any(real == other or real in other.parents for other in others)
    # all else in that folder is OpenClaw's own
    place = folder.relative_to(state_dir).parts if folder.is_relative_to(state_dir) else ()
    inside = bool(place) and place[0].startswith("workspace")
    return folder, inside and real == folder and not shared
