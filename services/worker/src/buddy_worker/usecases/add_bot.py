"""Add a bot: its workspace first, then its entry; or nothing of it."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from buddy_common.adapters.finishing import to_its_end
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.openclaw_config import Config
from buddy_common.errors import StateUnwritableError, WorkspaceInUseError
from buddy_worker.edits.agents import add_entry
from buddy_worker.edits.bots import new_entry
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.bot_workspaces import is_in_config, main_workspace, require_workspace
from buddy_worker.usecases.known_things import is_new_openclaw, known_models
from buddy_worker.usecases.put_bot import BotPut, put_bot


class BotAdded(BotPut):
    """A bot that is there now."""

    id: str
    workspace: str


async def add_bot(
    job: RunningJob[AnyJob],
    *,
    bot: str,
    name: str,
    emoji: str | None,
    model: str | None,
    workspace: str | None,
    files: Mapping[str, str],
    base_hash: str | None,
) -> BotAdded:
    """Add a bot with these files in its workspace; OpenClaw adds its own with the first chat.

    Raises:
        BotExistsError: there is one of this id.
        InvalidRequestError: the workspace is none that a bot may have.
        WorkspaceInUseError: it is that of another bot, or the files would go over others.
        UnknownModelError: no configured provider has the model.
        BuddyError: as of `put_bot`.
    """
    host = job.host
    config = (await asyncio.to_thread(host.config_files.read)).config
    own = host.gateway_settings.config_dir.absolute() / f"workspace-{bot}"
    folder = await require_workspace(host, config, bot=bot, folder=workspace or str(own))
    is_new, known = await is_new_openclaw(host), await known_models(host)
    main = await main_workspace(host, config)

    def edit(config: Config) -> None:
        entry = new_entry(config, name=name, emoji=emoji, model=model, workspace=str(folder), known=known)
        add_entry(config, bot, entry, is_new=is_new, main_workspace=main)

    edit(config)  # what is wrong with it, is wrong before anything is written
    owner = await asyncio.to_thread(
        host.gateway_settings.config_dir.stat
    )  # it is OpenClaw's folder, whoever we are
    made: list[Path] = []
    try:
        await to_its_end(asyncio.to_thread(_make_workspace, folder, files, made, owner=owner))
        changed = await put_bot(job, bot, edit, workspace=folder, base_hash=base_hash)
    except BaseException:
        await to_its_end(asyncio.to_thread(_settle, host, bot, made))
        raise
    return BotAdded(id=bot, workspace=str(folder), **changed.model_dump())


def _settle(host: HostPlane, bot: str, made: list[Path]) -> None:
    """Leave nothing of a bot that did not come to be; one that is in the config keeps its files."""
    if is_in_config(host, bot) is False:
        with suppress(OSError):  # why it broke off is what there is to tell
            _unmake(made)


def _make_workspace(
    folder: Path, files: Mapping[str, str], made: list[Path], *, owner: os.stat_result
) -> None:
    """Make the folder and its files; put into `made` what was not there before, the folder last."""
    try:
        if any(_is_other(folder / name, text) for name, text in files.items()):
            raise WorkspaceInUseError(str(folder))
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir()
            made.insert(0, path)
            _hand_over(path, owner)
        for name, text in files.items():
            path = folder / name
            if not path.exists():
                made.insert(0, path)
                path.write_text(text, encoding="utf-8")
                _hand_over(path, owner)
    except OSError as exc:
        raise StateUnwritableError(f"{folder} cannot be written: {exc.strerror}.") from exc


def _hand_over(path: Path, owner: os.stat_result) -> None:
    if owner.st_uid != os.geteuid():
        os.chown(path, owner.st_uid, owner.st_gid)


def _is_other(path: Path, text: str) -> bool:
    """Whether something is there that is not this very file, which a run that was killed may have left."""
    return path.exists() and not (path.is_file() and path.read_bytes() == text.encode())


def _unmake(made: list[Path]) -> None:
    for path in made:
        if not path.is_dir():
            path.unlink(missing_ok=True)
        elif not any(path.iterdir()):
            path.rmdir()
