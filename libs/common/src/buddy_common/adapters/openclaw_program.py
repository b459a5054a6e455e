"""Finding the `openclaw` program of this host, with a Node.js that it accepts."""

import asyncio
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from buddy_common.adapters.processes import child_environment
from buddy_common.errors import OpenClawNotFoundError, UnusableNodeError
from buddy_common.schemas.gateway import OpenClawInstall
from buddy_common.settings import OpenClawSettings

# `--version` is OpenClaw's fast path: 0.15 s idle; generous for a machine under load
VERSION_SECONDS = 30
_VERSION = re.compile(r"OpenClaw (\d{4}\.\d+\.\d+\S*)")


@dataclass(frozen=True)
class OpenClawProgram:
    """A program that was run and answered with its version."""

    path: Path
    search_path: str  # PATH with the right Node.js first: `openclaw` is a script for `env node`
    version: str


def installed_program(runtime: Path, version: str) -> Path:
    """Return where Buddy installs that version, with the Node.js for it in the same folder."""
    return runtime / f"openclaw-{version}" / "bin" / "openclaw"


def locate_openclaw(settings: OpenClawSettings, runtime: Path) -> OpenClawProgram:
    """Return the first usable program: the setting, PATH, then the one in use of Buddy's own.

    It gets the Node.js of the settings; else one that was named gets the Node.js in its own folder.

    Raises:
        OpenClawNotFoundError: there is none.
        UnusableNodeError: there is one, but it refuses the Node.js that it would get.
    """
    if settings.program is not None:
        return _check(settings.program, _search_path(settings.node_program or _node_beside(settings.program)))
    refused: OpenClawNotFoundError | None = None
    for candidate, search_path in _candidates(settings, runtime):
        try:
            return _check(candidate, search_path)
        except OpenClawNotFoundError as exc:
            refused = refused or exc
    if refused is not None:
        raise refused
    raise OpenClawNotFoundError(
        "There is no `openclaw` on this node. Run `buddy openclaw install`, or set BUDDY_OPENCLAW."
    )


def _candidates(settings: OpenClawSettings, runtime: Path) -> list[tuple[Path, str]]:
    found: list[tuple[Path, str]] = []
    on_path = shutil.which("openclaw")
    if on_path is not None:
        found.append((Path(on_path).absolute(), _search_path(settings.node_program)))
    own = _folder_in_use(runtime) / "openclaw"
    if own.exists():
        found.append((own, _search_path(settings.node_program or own.with_name("node"))))
    return found


def _folder_in_use(runtime: Path) -> Path:
    """Return the folder that `bin` links to: what runs from there stays the same when the link changes."""
    folder = runtime / "bin"
    try:
        return runtime / folder.readlink()
    except OSError:  # nothing there, or a folder as an earlier Buddy made it
        return folder


def _node_beside(program: Path) -> Path | None:
    """Return the Node.js in the folder that was named; a link is not followed, it would lead elsewhere."""
    node = program.with_name("node")
    return node if os.access(node, os.X_OK) and node.is_file() else None


def _search_path(node: Path | None) -> str:
    path = os.environ.get("PATH", os.defpath)
    return path if node is None else f"{node.parent}{os.pathsep}{path}"


def _check(program: Path, search_path: str) -> OpenClawProgram:
    try:
        done = subprocess.run(  # noqa: S603 - a path from settings, PATH or our own folder
            [program, "--version"],
            env=child_environment(PATH=search_path),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=VERSION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise OpenClawNotFoundError(f"{program} cannot be run: {exc}") from exc
    match = _VERSION.search(done.stdout)
    if done.returncode == 0 and match:
        return OpenClawProgram(program, search_path, match[1])
    reason = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[0]
    error = UnusableNodeError if "node" in reason.lower() else OpenClawNotFoundError
    raise error(f"{program} --version failed: {reason}")


class HostOpenClaw:
    """The OpenClaw program of this host; looked for again only when it, or the one in use, has changed."""

    def __init__(self, settings: OpenClawSettings, runtime: Path) -> None:
        self._settings = settings
        self._runtime = runtime
        self._known: tuple[OpenClawProgram, tuple[Path, float]] | None = None

    def program(self) -> OpenClawProgram:
        """Return the program.

        Raises:
            OpenClawNotFoundError: there is none, or none that its Node.js can run.
        """
        in_use = _folder_in_use(self._runtime)
        if self._known is not None:
            known, stamp = self._known
            if stamp == (in_use, _changed_at(known.path)):
                return known
        found = locate_openclaw(self._settings, self._runtime)
        self._known = (found, (in_use, _changed_at(found.path)))
        return found

    async def inspect(self) -> OpenClawInstall:
        """Return where it is and which version; never raises for a missing program."""
        return await asyncio.to_thread(self._inspect)

    def _inspect(self) -> OpenClawInstall:
        try:
            program = self.program()
        except OpenClawNotFoundError as exc:
            return OpenClawInstall(installed=False, problem=exc.message)
        changed_at = _changed_at(program.path)
        return OpenClawInstall(
            installed=True,
            version=program.version,
            path=str(program.path),
            installed_at=datetime.fromtimestamp(changed_at, UTC),
        )


def _changed_at(program: Path) -> float:
    """Return when the package was installed: npm sets old times on files, not on the folder."""
    try:
        return program.resolve().parent.stat().st_mtime
    except OSError:
        return 0.0
