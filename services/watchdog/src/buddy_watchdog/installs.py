"""Whether somebody installs or updates OpenClaw just now, by hand or by its own updater."""

from pathlib import PurePath

import psutil

_MANAGERS = frozenset({"npm", "npm-cli.js", "pnpm", "yarn", "bun"})
_INSTALLS = frozenset({"i", "install", "add", "update", "upgrade", "ci"})
_OPENCLAW = frozenset({"openclaw", "openclaw.mjs", "openclaw.js"})


def running_install() -> str | None:
    """Return what runs, as people type it; None: nothing does. Looks at every process: milliseconds."""
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if installs_openclaw(command):
            return f"{' '.join(command[:4])[:80]} (pid {process.pid})"
    return None


def installs_openclaw(command: list[str]) -> bool:
    """Whether this command line replaces the OpenClaw program, or its parts."""
    names = [PurePath(word).name for word in command]
    for place, name in enumerate(names[:2]):  # the program itself, or the script after its interpreter
        if name in _OPENCLAW:
            return command[place + 1 : place + 2] == ["update"]
    if not _MANAGERS.intersection(names[:2]) or not _INSTALLS.intersection(command[1:4]):
        return False
    return any(word == "openclaw" or word.startswith("openclaw@") for word in command[2:])
