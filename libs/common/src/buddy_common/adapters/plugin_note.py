"""The note about a plugin that is about to change: how it was, for whoever comes after a killed worker."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from buddy_common.adapters.atomic_file import replace_file
from buddy_common.errors import StateUnwritableError

_REMEMBERED = 50  # as many as of changes of the config


@dataclass(frozen=True)
class PluginNote:
    """How a plugin was; `is_local`: it is a folder that can be put back without a registry."""

    task_id: str
    plugin: str | None  # None: it was not there
    version: str | None
    package: str | None
    backup: str  # of the config, in the history
    is_local: bool
    folders: Sequence[str] = ()  # that were there
    channels: Sequence[str] = ()  # that it brings


@dataclass(frozen=True)
class Settled:
    """What a change of a plugin came to, for people; `covers_config`: it says that of the config, too."""

    text: str
    covers_config: bool


class PluginJournal:
    """One file in the node's state folder, there while a plugin changes."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._settled = file.with_suffix(".settled.json")

    def begin(self, note: PluginNote) -> None:
        """Note how it was, once a copy of its folder is complete and before anything is changed.

        Raises:
            StateUnwritableError: the note cannot be written, so nothing else must be.
        """
        others = self._all_settled()
        if others.pop(note.task_id, None) is not None:  # of another plugin that the same job has changed
            self._write(self._settled, others)
        self._write(self.file, asdict(note))

    def open_note(self) -> PluginNote | None:
        """Return the note of a change that was begun and not ended."""
        try:
            record: dict[str, Any] = json.loads(self.file.read_bytes())
        except FileNotFoundError:
            return None
        return PluginNote(**record | {"channels": tuple(record.get("channels", ()))})

    def end(self) -> None:
        """Forget the note: the change is made, or undone."""
        self.file.unlink(missing_ok=True)

    def settle(self, task_id: str, settled: Settled) -> None:
        """Remember what the change of a task came to.

        Raises:
            StateUnwritableError: that cannot be written.
        """
        others = {known: value for known, value in self._all_settled().items() if known != task_id}
        self._write(self._settled, dict([*others.items(), (task_id, asdict(settled))][-_REMEMBERED:]))

    def settled(self, task_id: str) -> Settled | None:
        """Return what the change of a task came to, if it is among the last."""
        found = self._all_settled().get(task_id)
        return None if found is None else Settled(**found)

    def _all_settled(self) -> dict[str, dict[str, Any]]:
        try:
            found: dict[str, dict[str, Any]] = json.loads(self._settled.read_bytes())
        except FileNotFoundError:
            return {}
        return found

    def _write(self, file: Path, record: dict[str, Any]) -> None:
        try:
            replace_file(file, json.dumps(record).encode())
        except OSError as exc:
            raise StateUnwritableError(f"{file} cannot be written: {exc.strerror}.") from exc
