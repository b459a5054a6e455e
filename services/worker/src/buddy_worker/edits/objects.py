"""The objects and arrays of a config: made where they are missing, never laid over something else."""

from typing import Any

from buddy_common.adapters.openclaw_config import Config
from buddy_common.config_diff import show_path
from buddy_common.errors import GatewayConfigError


def object_at(config: Config, *path: str) -> dict[str, Any]:
    """Return the object at a path, to be changed in place.

    Raises:
        GatewayConfigError: there, or on the way there, is something else.
    """
    found = config
    for length, key in enumerate(path, start=1):
        below = found.setdefault(key, {})
        if not isinstance(below, dict):
            raise _unlike(path[:length], "object", below)
        found = below
    return found


def rows_at(config: Config, *path: str) -> list[dict[str, Any]]:
    """Return the array of objects at a path, to be changed in place.

    Raises:
        GatewayConfigError: there, or on the way there, is something else.
    """
    rows = object_at(config, *path[:-1]).setdefault(path[-1], [])
    if not isinstance(rows, list):
        raise _unlike(path, "array", rows)
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise _unlike((*path, str(index)), "object", row)
    return rows


def merge(target: dict[str, Any], patch: dict[str, Any]) -> None:
    """Apply a merge patch (RFC 7396) in place."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            below = target.get(key)
            target[key] = below if isinstance(below, dict) else {}
            merge(target[key], value)
        else:
            target[key] = value


def _unlike(path: tuple[str, ...], wanted: str, found: object) -> GatewayConfigError:
    names = {"list": "an array", "str": "a text", "bool": "true or false", "NoneType": "null"}
    kind = names.get(type(found).__name__, "an object" if isinstance(found, dict) else "a number")
    return GatewayConfigError(f"In openclaw.json, {show_path(path)} must be an {wanted}, but is {kind}.")
