"""Where the workspaces of bots are, and where one may be: nowhere that its files would do harm."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.openclaw_config import Config, agents_of, default_agent, section
from buddy_common.errors import BuddyError, InvalidRequestError, WorkspaceInUseError
from buddy_worker.usecases.known_things import known_workspaces

# of Linux and macOS; what lies directly below the root is refused as well
_SYSTEM = frozenset(
    {"bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "proc", "run", "sbin", "sys", "usr"}
    | {"Applications", "Library", "System"}
)
_SHORTEST = 3  # parts of `/home/somebody`


async def require_workspace(host: HostPlane, config: Config, *, bot: str, folder: str) -> Path:
    """Return the folder if it may be the workspace of the bot.

    Raises:
        InvalidRequestError: it is none that a bot may have.
        WorkspaceInUseError: it is, or holds, that of another bot.
    """
    told = await known_workspaces(host)
    try:
        return await asyncio.to_thread(_require, host, config, told, bot=bot, folder=folder)
    except OSError as exc:
        raise InvalidRequestError(f"workspace: {folder} cannot be looked at: {exc.strerror}.") from exc


async def main_workspace(host: HostPlane, config: Config) -> str:
    """Return where the workspace of the default bot is: there it stays when it is not alone any more."""
    told = (await known_workspaces(host)).get(default_agent(config))
    for_all = section(config, "agents", "defaults").get("workspace")
    return told or str(for_all or host.gateway_settings.config_dir.absolute() / "workspace")


def is_in_config(host: HostPlane, bot: str) -> bool | None:
    """Say whether the bot is in the config that is there now; None where it cannot be read."""
    try:
        config = host.config_files.read().config
    except BuddyError:
        return None
    return bot in {agent.id for agent in agents_of(config)}


def workspaces_of(config: Config, config_dir: Path, told: Mapping[str, str]) -> dict[str, set[Path]]:
    """Return where the workspace of each bot is, or can be where neither file nor gateway says so."""
    for_all = section(config, "agents", "defaults").get("workspace")
    root = real_path(for_all) if isinstance(for_all, str) and for_all else None
    default = default_agent(config)
    found: dict[str, set[Path]] = {}
    for agent in agents_of(config):
        known = agent.workspace or told.get(agent.id)
        if known:
            found[agent.id] = {real_path(known)}
            continue
        folders = {config_dir / f"workspace-{agent.id}"} | ({root / agent.id} if root else set())
        if agent.id == default:
            folders |= {config_dir / "workspace"} | ({root} if root else set())
        found[agent.id] = {real_path(str(path)) for path in folders}
    return found


def real_path(text: str) -> Path:
    """Return a path without links, without `~`, and with one slash for its root."""
    path = Path(text.replace("\x00", ""))
    with suppress(RuntimeError):  # a home folder of nobody
        path = path.expanduser()
    return Path(os.path.realpath("/" + str(path).lstrip("/") if path.is_absolute() else path))


def _require(host: HostPlane, config: Config, told: Mapping[str, str], *, bot: str, folder: str) -> Path:
    if not folder.startswith("/") or "\x00" in folder or ".." in Path(folder).parts:
        raise InvalidRequestError("workspace: give an absolute path without `..`.")
    real, state_dir = real_path(folder), real_path(str(host.gateway_settings.config_dir.absolute()))
    problem = (
        _problem_of_place(Path("/" + folder.lstrip("/")))
        or _problem_of_place(real)
        or _problem_of_neighbours(real, state_dir, real_path(str(host.home)))
    )
    if problem is not None:
        raise InvalidRequestError(f"workspace: {folder} {problem}. Name a folder that is the bot's alone.")
    for name, folders in workspaces_of(config, state_dir, told).items():
        if name != bot and any(real == other or real in other.parents for other in folders):
            raise WorkspaceInUseError(folder, bot=name)
    return Path(folder)


def _problem_of_place(path: Path) -> str | None:
    if len(path.parts) < _SHORTEST or path.parts[1] in _SYSTEM:
        return "belongs to the system"
    return "is no folder" if path.exists() and not path.is_dir() else None


def _problem_of_neighbours(path: Path, state_dir: Path, home: Path) -> str | None:
    if path == state_dir or path in state_dir.parents:
        return "holds what OpenClaw keeps"
    if path.is_relative_to(state_dir) and not path.relative_to(state_dir).parts[0].startswith("workspace"):
        return "lies among what OpenClaw keeps"
    if path.is_relative_to(home) or home.is_relative_to(path):
        return "holds, or lies among, what Buddy keeps"
    return None
