"""The note about a change of the config that is under way: what a killed worker leaves for the next one."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from buddy_common.adapters.atomic_file import replace_file
from buddy_common.errors import StateUnwritableError

_REMEMBERED = 50  # who asks is the sweep of the tasks of a dead worker: others may have changed it since


class Side(StrEnum):
    """Which config is there after a change that broke off."""

    OLD = "old"
    NEW = "new"
    MIXED = "mixed"  # of several files, some are written

    @property
    def shown(self) -> str:
        """The same for people."""
        return {
            Side.OLD: "openclaw.json is as it was before.",
            Side.NEW: "openclaw.json holds the change; whether the gateway took it was not looked at.",
            Side.MIXED: "Of the files that openclaw.json consists of, some hold the change.",
        }[self]


@dataclass(frozen=True)
class OpenChange:
    """A change that was begun."""

    task_id: str
    backup: str  # its name in the history
    before: Mapping[Path, str]  # SHA-256 of each file that it may write
    writes_all: bool  # each of these files, so that some can be written and some not yet

    def side(self) -> Side:
        """Return which config is there now."""
        same = [_sha256(path) == digest for path, digest in self.before.items()]
        if all(same):
            return Side.OLD
        return Side.MIXED if any(same) and self.writes_all else Side.NEW


class ChangeJournal:
    """One file in the node's state folder, there while a change is written and confirmed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._settled = file.with_suffix(".settled.json")

    def begin(
        self, task_id: str, *, backup: str, files: Mapping[Path, bytes], writes_all: bool = True
    ) -> None:
        """Note what is about to be written, before the first byte is.

        `writes_all`: all of these files; else somebody else writes those of them that the change concerns.

        Raises:
            StateUnwritableError: the note cannot be written, so nothing else must be.
        """
        record = {
            "task_id": task_id,
            "backup": backup,
            "writes_all": writes_all,
            "before": {str(path): hashlib.sha256(content).hexdigest() for path, content in files.items()},
        }
        try:
            replace_file(self._file, json.dumps(record).encode())
        except OSError as exc:
            raise StateUnwritableError(f"{self._file} cannot be written: {exc.strerror}.") from exc

    def open_change(self) -> OpenChange | None:
        """Return the change that was begun and not ended."""
        try:
            record: dict[str, Any] = json.loads(self._file.read_bytes())
        except FileNotFoundError:
            return None
        before = {Path(path): str(digest) for path, digest in record["before"].items()}
        return OpenChange(record["task_id"], record["backup"], before, record.get("writes_all", True))

    def end(self) -> None:
        """Forget the note: the change is made, or undone."""
        self._file.unlink(missing_ok=True)

    def settle(self, change: OpenChange, side: Side) -> None:
        """Forget the note of a change, and remember what it came to.

        Raises:
            StateUnwritableError: that cannot be written; the note stays.
        """
        kept = {task_id: known for task_id, known in self._all_settled().items() if task_id != change.task_id}
        known = dict([*kept.items(), (change.task_id, side)][-_REMEMBERED:])
        try:
            replace_file(self._settled, json.dumps(known).encode())
        except OSError as exc:
            raise StateUnwritableError(f"{self._settled} cannot be written: {exc.strerror}.") from exc
        self.end()

    def settled(self, task_id: str) -> Side | None:
        """Return what the change of a task came to, if it is among the last."""
        side = self._all_settled().get(task_id)
        return None if side is None else Side(side)

    def _all_settled(self) -> dict[str, str]:
        try:
            found: dict[str, str] = json.loads(self._settled.read_bytes())
        except FileNotFoundError:
            return {}
        return found


def _sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
