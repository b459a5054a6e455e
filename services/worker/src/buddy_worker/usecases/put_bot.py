"""Put the entry of a bot into the config, so that OpenClaw works with the bot also if it has deleted it once.

OpenClaw 2026.9 remembers whom it has deleted, and a gateway that finds such a bot in its config ends with its
next restart. Only its own `agents.create`, or `agents add` where no gateway runs, lets it forget that.
"""

import asyncio
from copy import deepcopy
from functools import partial
from pathlib import Path

from buddy_common.adapters.atomic_file import replace_file
from buddy_common.adapters.config_files import ConfigState
from buddy_common.adapters.deleted_agents import is_remembered_as_deleted
from buddy_common.adapters.finishing import to_its_end
from buddy_common.adapters.openclaw_config import Config, agents_of, section
from buddy_common.config_diff import brief, changes_between, shown_changes
from buddy_common.errors import BuddyError
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.change_config import ConfigChanged, Edit, change_config
from buddy_worker.usecases.patch_config import OPENCLAWS_OWN, Instead
from buddy_worker.usecases.way_back import put_config_back

_IDENTITY = "IDENTITY.md"


class BotPut(ConfigChanged):
    """A bot that is in the config."""

    left: str | None = None  # what is to be done by hand before OpenClaw works with it


async def put_bot(
    job: RunningJob[AnyJob], bot: str, edit: Edit, *, workspace: Path, base_hash: str | None
) -> BotPut:
    """Make the change that puts the bot in; its workspace is where it is to be already.

    Raises:
        BuddyError: as of `change_config`; the bot is not in the config then.
    """
    deleted = partial(is_remembered_as_deleted, job.host.gateway_settings.config_dir, bot)
    if not await asyncio.to_thread(deleted):
        return BotPut(**(await change_config(job, edit, base_hash=base_hash)).model_dump())
    before = await asyncio.to_thread(job.host.config_files.read)
    edit(deepcopy(before.config))  # one that is there stays as it is
    created = await _create(job, bot, edit, workspace=workspace, base_hash=base_hash)
    changed = await _complete(job, bot, edit, before=before, created=created)
    left = await _ask_for_it(job, bot, workspace) if await asyncio.to_thread(deleted) else None
    still = left is not None and await asyncio.to_thread(deleted)
    return BotPut(**changed.model_dump(), left=left if still else None)


async def _create(
    job: RunningJob[AnyJob], bot: str, edit: Edit, *, workspace: Path, base_hash: str | None
) -> ConfigChanged:
    """Have the gateway make a bot of this id; without one the entry is what it is to be."""

    def is_there(config: Config) -> bool:
        return bot in {agent.id for agent in agents_of(config)}

    def add(config: Config) -> None:
        if not is_there(config):  # an earlier try may have told nobody that it was made
            edit(config)

    identity = workspace / _IDENTITY
    kept = await asyncio.to_thread(_read, identity)
    try:
        return await change_config(
            job,
            add,
            base_hash=base_hash,
            instead=Instead("agents.create", {"name": bot, "workspace": str(workspace)}, is_there),
        )
    finally:
        if kept is not None:  # it has written the id into it for a name
            await to_its_end(asyncio.to_thread(_put_back, identity, kept))


async def _complete(
    job: RunningJob[AnyJob], bot: str, edit: Edit, *, before: ConfigState, created: ConfigChanged
) -> ConfigChanged:
    """Make the entry of the gateway's bot the one that it is to be, or take it out again."""

    def replace(config: Config) -> None:
        section(config, "agents", "entries").pop(bot, None)
        edit(config)

    try:
        changed = await change_config(job, replace, base_hash=None)
    except BuddyError:
        await to_its_end(_take_out(job, bot, before=before, created=created))
        raise
    except asyncio.CancelledError:
        job.left = f"The bot {bot!r} is in openclaw.json, but some of its settings may not be."
        raise
    now = await asyncio.to_thread(job.host.config_files.read)
    rows = [
        row | {"old": brief(row["old"]), "new": brief(row["new"])}
        for row in shown_changes(before.config, now.config)
        if row["path"].partition(".")[0] not in OPENCLAWS_OWN
    ]
    told = {"changed": [row["path"] for row in rows], "changes": rows, "backup": created.backup}
    how = {} if changed.changed else {"via": created.via, "applied": created.applied}
    return changed.model_copy(update=told | how)


async def _take_out(
    job: RunningJob[AnyJob], bot: str, *, before: ConfigState, created: ConfigChanged
) -> None:
    """Take it out of the file, with what its making has changed: by `agents.delete` its sessions would go."""
    now = await asyncio.to_thread(job.host.config_files.read)
    made, entry = set(created.changed), ("agents", "entries", bot)
    changes = changes_between(before.config, now.config)
    ours = [change for change in changes if change.path[:3] == entry or change.shown in made]
    await put_config_back(job, before=before, changes=ours)


async def _ask_for_it(job: RunningJob[AnyJob], bot: str, workspace: Path) -> str:
    """Have OpenClaw's command find the bot; return what to do where that did not help."""
    await job.stage("telling OpenClaw that the bot is there again", 96)
    await job.command("openclaw agents add")
    reason = ""
    try:
        await job.host.cli.run(
            ["agents", "add"],
            values=[bot],
            flags=["--non-interactive", "--json"],
            options={"--workspace": str(workspace)},
            lock_descriptors=job.lock_descriptors,
            on_started=job.runs,
        )
    except BuddyError as exc:  # it says that there is one, and has forgotten the deletion by then
        reason = exc.message
    return (
        f"OpenClaw still takes {bot!r} for deleted: run `openclaw agents add {bot} --non-interactive"
        f" --workspace {workspace}`, and restart the gateway. {reason}".rstrip()
    )


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _put_back(path: Path, content: bytes) -> None:
    if _read(path) not in (None, content):
        replace_file(path, content, like=path.stat())
