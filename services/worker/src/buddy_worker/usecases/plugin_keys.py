"""The keys of `openclaw.json` that belong to one plugin: what OpenClaw's own commands about it write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from buddy_common.adapters.openclaw_config import Config, section
from buddy_common.config_diff import KeyChange, value_at

# what is below is one plugin's, or one channel's
_BRANCHES = frozenset(
    {
        ("plugins",),
        ("plugins", "entries"),
        ("plugins", "installs"),
        ("plugins", "load"),
        ("plugins", "slots"),
        ("channels",),
    }
)
_LISTS = frozenset({("plugins", "allow"), ("plugins", "deny"), ("plugins", "load", "paths")})
_ABSENT = value_at({}, ("",))


@dataclass(frozen=True)
class Undo:
    """A change, and what takes our part of it back; None where nothing of it is ours."""

    change: KeyChange
    back: KeyChange | None

    @property
    def is_whole(self) -> bool:
        """Whether it is as before with that."""
        return self.back is not None and bool(self.back.new == self.change.old)


@dataclass(frozen=True)
class PluginKeys:
    """Whose keys they are; `package` stands for a plugin whose id may not be known."""

    ids: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()  # that it brings; one of its own name counts as well
    package: str | None = None

    def undo(self, since: Sequence[KeyChange], *, before: Config, now: Config) -> list[Undo]:
        """Return all that has changed since, each with what takes back the plugin's part of it."""
        ids = self.ids | self._installed(before, now)
        keys = _Keys(ids, channels=ids | self.channels)
        return [undo for change in since for undo in keys.undo(change)]

    def _installed(self, before: Config, now: Config) -> frozenset[str]:
        """Return the ids under which the package may have been installed."""
        if self.package is None:
            return frozenset()
        known, found = section(before, "plugins", "installs"), section(now, "plugins", "installs")
        new = {name for name in found if name not in known and _is_of(found[name], self.package)}
        return frozenset({PurePath(self.package).name, *new})


@dataclass(frozen=True)
class _Keys:
    ids: frozenset[str]
    channels: frozenset[str]

    def undo(self, change: KeyChange) -> list[Undo]:
        """Look at a change, at that of a whole branch plugin by plugin."""
        parts = _parts(change)
        if not parts:
            return [Undo(change, self._back(change))]
        below = [undo for part in parts for undo in self.undo(part)]
        if change.old is _ABSENT and all(undo.is_whole for undo in below):  # no empty branch stays
            return [Undo(change, KeyChange(change.path, change.new, change.old))]
        return below

    def _back(self, change: KeyChange) -> KeyChange | None:
        if change.path in _LISTS:
            return self._list_back(change)
        return KeyChange(change.path, change.new, change.old) if self._is_meant(change) else None

    def _is_meant(self, change: KeyChange) -> bool:
        match change.path:
            case ("plugins", "entries" | "installs", name, *_):
                return name in self.ids
            case ("plugins", "slots", _):
                return any(isinstance(value, str) and value in self.ids for value in (change.old, change.new))
            case ("channels", name, *_):
                return name in self.channels
        return False

    def _list_back(self, change: KeyChange) -> KeyChange | None:
        """Take back only its own entries of a list."""
        old, new = _items(change.old), _items(change.new)
        back = [item for item in new if item in old or not self._names(item)]
        back += [item for item in old if item not in new and self._names(item)]
        if back == new:
            return None
        same = len(back) == len(old) and all(item in old for item in back)  # whatever their order
        return KeyChange(change.path, change.new, change.old if same else back)

    def _names(self, item: object) -> bool:
        """Whether an entry of a list is its id, or the path of its folder."""
        return isinstance(item, str) and (item in self.ids or PurePath(item).name in self.ids)


def _parts(change: KeyChange) -> list[KeyChange]:
    """Return the changes that one of a branch consists of; none where it is of one key."""
    sides = (change.old, change.new)
    if change.path not in _BRANCHES or not all(side is _ABSENT or isinstance(side, dict) for side in sides):
        return []
    names = dict.fromkeys(name for side in sides if side is not _ABSENT for name in side)
    return [KeyChange((*change.path, name), *(value_at(side, (name,)) for side in sides)) for name in names]


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_of(record: object, package: str) -> bool:
    """Whether a record of an install tells of this package, in whichever version."""
    said = record.values() if isinstance(record, Mapping) else ()
    return any(value == package or str(value).startswith(f"{package}@") for value in said)
