"""What differs between two configs, key by key, and the same as a JSON merge patch (RFC 7396)."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from buddy_common.secret_mask import mask_secrets

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_ABSENT: Any = object()
MAX_SHOWN_CHARACTERS = 2000

KeyPath = tuple[str, ...]


@dataclass(frozen=True)
class KeyChange:
    """One key that is added, removed or replaced. Arrays count as one value."""

    path: KeyPath
    old: Any
    new: Any

    @property
    def is_removal(self) -> bool:
        """Whether the key is gone afterwards."""
        return self.new is _ABSENT

    @property
    def shown(self) -> str:
        """The path as people write it."""
        return show_path(self.path)


def changes_between(old: dict[str, Any], new: dict[str, Any]) -> list[KeyChange]:
    """Return what turns `old` into `new`, in the order of `old`, then of `new`."""
    return list(_changes(old, new, ()))


def holds(config: dict[str, Any], change: KeyChange) -> bool:
    """Whether the config is at this path as the change wants it."""
    value = value_at(config, change.path)
    return value is _ABSENT if change.is_removal else value is not _ABSENT and value == change.new


def value_at(config: Any, path: KeyPath) -> Any:
    """Return the value at a path, a marker that equals nothing where there is none."""
    for key in path:
        if not isinstance(config, dict) or key not in config:
            return _ABSENT
        config = config[key]
    return config


def stands(config: Any, path: KeyPath) -> bool:
    """Whether there is anything at a path."""
    return value_at(config, path) is not _ABSENT


def apply_change(config: dict[str, Any], change: KeyChange) -> None:
    """Make one change in place; objects on the way are made where they are missing."""
    for key in change.path[:-1]:
        below = config.get(key)
        if not isinstance(below, dict):
            below = config[key] = {}
        config = below
    if change.is_removal:
        config.pop(change.path[-1], None)
    else:
        config[change.path[-1]] = change.new


def merge_patch(changes: Sequence[KeyChange]) -> dict[str, Any]:
    """Return the patch that makes these changes."""
    patch: dict[str, Any] = {}
    for change in changes:
        below = patch
        for key in change.path[:-1]:
            below = below.setdefault(key, {})
        below[change.path[-1]] = None if change.is_removal else change.new
    return patch


def replaced_arrays(changes: Sequence[KeyChange]) -> list[str]:
    """Return the arrays that lose entries with these changes, as `config.patch` wants them named.

    Source: OpenClaw's docs/gateway/configuration/config-rpc.md, `replacePaths`.
    """
    found: dict[str, None] = {}
    for change in changes:
        if isinstance(change.old, list):
            found[".".join(change.path)] = None
        elif change.is_removal or not isinstance(change.new, dict):
            found |= {".".join(path): None for path in _arrays_in(change.old, change.path)}
    return list(found)


def shown_changes(old: dict[str, Any], new: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the changes for people: `path`, `op`, `old` and `new`, secrets masked."""
    before, after = mask_secrets(old), mask_secrets(new)
    return [
        {
            "path": change.shown,
            "op": "add" if change.old is _ABSENT else "remove" if change.is_removal else "replace",
            "old": None if change.old is _ABSENT else value_at(before, change.path),
            "new": None if change.is_removal else value_at(after, change.path),
        }
        for change in changes_between(old, new)
    ]


def brief(value: Any) -> Any:
    """Return a value, or how long it is: a row in the database is no place for a roster of hundreds."""
    characters = len(json.dumps(value, ensure_ascii=False))
    return value if characters <= MAX_SHOWN_CHARACTERS else f"… {characters} characters of JSON"


def show_path(path: KeyPath) -> str:
    """Return a path such as `models.providers["a b"].baseUrl`."""
    text = ""
    for key in path:
        plain = _PLAIN_KEY.fullmatch(key)
        text += f".{key}" if plain else f'["{key}"]'
    return text.removeprefix(".")


def _changes(old: dict[str, Any], new: dict[str, Any], path: KeyPath) -> Iterator[KeyChange]:
    for key in [*old, *(key for key in new if key not in old)]:
        before, after = old.get(key, _ABSENT), new.get(key, _ABSENT)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _changes(before, after, (*path, key))
        elif before is _ABSENT or after is _ABSENT or not _same(before, after):
            yield KeyChange((*path, key), before, after)


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: `True` is not 1 there."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return type(one) is type(other) and bool(one == other)


def _arrays_in(value: Any, path: KeyPath) -> Iterator[KeyPath]:
    if isinstance(value, list):
        yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _arrays_in(item, (*path, key))
