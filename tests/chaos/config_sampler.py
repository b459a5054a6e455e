"""Looks on from outside at `openclaw.json`, and keeps what it held and what it was backed up as."""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from buddy_common.adapters.config_files import parse_config
from buddy_common.adapters.config_history import ConfigHistory
from buddy_common.errors import GatewayConfigError, UnknownBackupError
from buddy_common.schemas.backups import ROOT, BackupReason
from chaos.facts import Broken, Facts, Seen
from chaos.faults import is_spoiled
from chaos.samplers import Sampler
from chaos.taken import Kept

CONFIG_SECONDS = 0.1
BACKUP_SECONDS = 0.3


@dataclass(frozen=True)
class Expected:
    """What no content of the file may lack; an empty token stands for any."""

    token: str
    agents: frozenset[str]

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Take the token and the agents of a content that is good."""
        config = parse_config(content)
        token, agents = _token(config), _agents(config)
        if not isinstance(token, str) or not agents:
            raise ValueError("the first config has no token or no agents")
        return cls(token, agents)

    def lacks(self, content: bytes) -> str | None:
        """Return what is wrong with a content, None where it is as it has to be."""
        try:
            config = parse_config(content)
        except GatewayConfigError:
            return "not whole"
        if self.token and _token(config) != self.token:
            return "without the gateway's token"
        missing = self.agents - _agents(config)
        return f"without the agents {', '.join(sorted(missing))}" if missing else None


class ConfigSampler(Sampler):
    """Whether `openclaw.json` is what it has to be, ten times a second; and what it was."""

    def __init__(self, path: Path, facts: Facts) -> None:
        super().__init__(CONFIG_SECONDS)
        self._path = path
        self._facts = facts
        self._expected = Expected("", frozenset())
        self._content: bytes | None = None
        self._broken: tuple[float, str] | None = None
        self.seen: list[Seen] = []

    def look(self) -> None:
        """Read it, if it is another one than before."""
        now = time.time()
        self._facts.config_looks += 1
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            content = b""
        if content == self._content:
            return
        self._content = content
        self.seen.append(Seen(now, content))
        why = self._expected.lacks(content)
        began, before = self._broken or (now, why)
        if self._broken is not None and why != before:
            self._tell(now)
            began = now
        self._broken = (began, why) if why is not None else None

    def expect(self) -> None:
        """From now on, the token and the agents that are there now have to stay."""
        self._expected = Expected.of(self._path.read_bytes())

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._tell(time.time())

    def _tell(self, ended: float) -> None:
        if self._broken is not None:
            began, why = self._broken
            self._facts.config_broken.append(Broken(began, ended, why))
            self._broken = None

    def written_by_others(self) -> list[bytes]:
        """Return the different contents, in order, but those that the schedule has broken."""
        return list(dict.fromkeys(look.content for look in self.good()))

    def good(self) -> list[Seen]:
        """Return what it held and when, but what was broken, which is told as such, or by the schedule."""
        return [
            look
            for look in list(self.seen)
            if self._expected.lacks(look.content) is None
            and not (is_spoiled(look.content) and self._is_in_a_fault(look.at))
        ]

    def _is_in_a_fault(self, at: float) -> bool:
        return any(window.touches(at - CONFIG_SECONDS, at) for window in self._facts.corruptions)


class BackupKeeper(Sampler):
    """Keeps a second name of each backup: Buddy lets go of the older ones."""

    def __init__(self, home: Path, kept: Path) -> None:
        super().__init__(BACKUP_SECONDS)
        self._home = home
        self._kept = kept
        self._linked: set[str] = set()
        for name in ("records", "blobs"):
            (kept / name).mkdir(parents=True)

    def look(self) -> None:
        """Link what is new."""
        for name in ("records", "blobs"):
            for file in self._home.glob(f"nodes/*/backups/{name}/[!.]*"):
                if file.name not in self._linked:
                    with contextlib.suppress(FileNotFoundError):  # let go of meanwhile
                        self._link(file, self._kept / name / file.name)

    def _link(self, file: Path, kept: Path) -> None:
        try:
            os.link(file, kept)
        except FileExistsError:
            pass
        except FileNotFoundError:
            raise
        except OSError:  # no room for a name: the next look
            return
        self._linked.add(file.name)

    def backups(self) -> list[Kept]:
        """Return those that a repair made, or that one goes back to."""
        history = ConfigHistory(self._kept, keep=5)  # only read: it lets go of some where it adds one
        found = []
        for backup in history.listing():
            if backup.reason in (BackupReason.BEFORE_REPAIR, BackupReason.KNOWN_GOOD):
                with contextlib.suppress(UnknownBackupError):
                    _, contents = history.get(backup.name)
                    found.append(Kept(backup.created_at.timestamp(), backup.reason, contents[ROOT]))
        return found


def _token(config: dict[str, Any]) -> Any:
    return _section(_section(config, "gateway"), "auth").get("token")


def _agents(config: dict[str, Any]) -> frozenset[str]:
    return frozenset(_section(_section(config, "agents"), "entries"))


def _section(config: dict[str, Any], name: str) -> dict[str, Any]:
    found = config.get(name)
    return found if isinstance(found, dict) else {}
