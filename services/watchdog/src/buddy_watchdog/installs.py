"""Whether somebody installs or updates OpenClaw just now, by hand or by its own updater."""

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import psutil

from buddy_common.adapters.processes import age_seconds

# no install takes so long: one that never ends must not keep repairs back for ever
ENDLESS_SECONDS = 1800.0
_INTERPRETERS = frozenset({"node", "nodejs"})
_MANAGERS = frozenset({"npm", "pnpm", "yarn", "bun"})
# what else npm takes for `install`, `update` and `uninstall` (npm help install)
_INSTALLS = frozenset(
    {
        "i", "in", "ins", "inst", "insta", "instal", "install", "add", "ci", "up", "update", "upgrade",
        "un", "uninstall", "rm", "remove",
    }
)  # fmt: skip
_OPENCLAW = frozenset({"openclaw", "openclaw.mjs", "openclaw.js"})
# OpenClaw names its process after its command, and all its arguments are gone then
_UPDATER = "openclaw-update"
# `openclaw@2026.9.6`, `npm:openclaw`, `/tmp/openclaw-2026.9.6.tgz`, `git+https://github.com/openclaw/openclaw.git`
_PACKAGE = re.compile(r"(?:^|[/:])openclaw(?:-\d[^/]*\.tgz|\.git)?/?(?:[@#].*)?$")
_SCRIPT = re.compile(r"(?:-cli)?\.[cm]?js$")


@dataclass(frozen=True)
class Install:
    """A process that replaces OpenClaw; `endless`: for so long that it will never end."""

    command: str
    pid: int
    seconds: float

    @property
    def endless(self) -> bool:
        """Whether nobody need wait for it any more."""
        return self.seconds >= ENDLESS_SECONDS

    def __str__(self) -> str:
        return f"{self.command} (pid {self.pid}, for {self.seconds:.0f} s)"


def running_install() -> Install | None:
    """Return the youngest that runs; None: nothing does. Looks at every process: milliseconds."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if installs_openclaw(command):
            shown = " ".join(words_of(command)[:4])[:80]
            with contextlib.suppress(psutil.Error):  # it has ended just now
                found.append(Install(shown, process.pid, age_seconds(process)))
    return min(found, key=lambda install: install.seconds, default=None)


def words_of(command: Sequence[str]) -> list[str]:
    """Return the words of a command line, also of one that a title has replaced.

    npm and OpenClaw write a title over their arguments: then it is the first of them, and the rest is empty.
    """
    words = [word for word in command if word]
    return words[0].split() if len(words) == 1 else words


def installs_openclaw(command: Sequence[str]) -> bool:
    """Whether this command line replaces the OpenClaw program, or its parts."""
    words = words_of(command)
    if words and PurePath(words[0]).name in _INTERPRETERS:
        words = [word for word in words[1:] if not word.startswith("--")]
    if not words:
        return False
    name, rest = PurePath(words[0]).name, words[1:]
    if name == _UPDATER:
        return True
    if name in _OPENCLAW:
        return rest[:1] == ["update"]
    if _SCRIPT.sub("", name) not in _MANAGERS or not _INSTALLS.intersection(rest[:3]):
        return False
    return any(_PACKAGE.search(word) for word in rest[1:])
