"""`$include` in `openclaw.json`: reading what the file and its parts say together. Nothing is written.

Source: OpenClaw's docs/gateway/configuration/common-tasks.md, "Split config into multiple files".
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from buddy_common.adapters.config_file import read_config
from buddy_common.errors import GatewayConfigError

MAX_DEPTH = 10
KEY = "$include"


def read_effective_config(path: Path) -> dict[str, Any] | None:
    """Return the config with its includes resolved, None when there is no file.

    Raises:
        GatewayConfigError: the file or an included one cannot be read, or lies outside the folder.
    """
    return read_with_parts(path)[0]


def read_with_parts(path: Path) -> tuple[dict[str, Any] | None, list[Path]]:
    """Return the same, and all files that it was read from.

    Raises:
        GatewayConfigError: the file or an included one cannot be read, or lies outside the folder.
    """
    config = read_config(path)
    if config is None:
        return None, [path]
    reader = _Reader(include_roots(path), read_config)
    return reader.resolve_root(config, path), [path, *reader.parts]


def resolve_documents(
    path: Path, document: dict[str, Any], parts: Mapping[Path, dict[str, Any]]
) -> dict[str, Any]:
    """Return what documents say together that are in no file yet; nothing is read.

    Raises:
        GatewayConfigError: they name others, or do not fit together.
    """
    return _Reader(include_roots(path), parts.get).resolve_root(document, path)


def include_roots(path: Path) -> list[Path]:
    """Return the folders in which the files that `path` includes may lie."""
    extra = os.environ.get("OPENCLAW_INCLUDE_ROOTS", "").split(os.pathsep)
    return [path.absolute().parent.resolve(), *(Path(root).resolve() for root in extra if root)]


class _Reader:
    """Resolves includes and remembers which files they named."""

    def __init__(self, roots: list[Path], read: Callable[[Path], dict[str, Any] | None]) -> None:
        self.parts: list[Path] = []
        self._roots = roots
        self._read = read

    def resolve_root(self, config: dict[str, Any], path: Path) -> dict[str, Any]:
        """Return the root document with all that it includes."""
        resolved = self.resolve(config, path.absolute(), depth=0)
        if not isinstance(resolved, dict):
            raise GatewayConfigError(f"{path} includes something that is no object.")
        return resolved

    def resolve(self, value: Any, file: Path, *, depth: int) -> Any:
        """Return the value with the files that it includes laid under it."""
        if isinstance(value, list):
            return [self.resolve(item, file, depth=depth) for item in value]
        if not isinstance(value, dict):
            return value
        siblings = {key: self.resolve(item, file, depth=depth) for key, item in value.items() if key != KEY}
        if KEY not in value:
            return siblings
        merged: Any = {}
        for name in value[KEY] if isinstance(value[KEY], list) else [value[KEY]]:
            merged = _merge(merged, self._included(name, file, depth=depth + 1))
        return _merge(merged, siblings) if siblings else merged

    def _included(self, name: Any, file: Path, *, depth: int) -> Any:
        if not isinstance(name, str) or not name:
            raise GatewayConfigError(f"{file}: {KEY} must name a file.")
        if depth > MAX_DEPTH:
            raise GatewayConfigError(f"{file}: {KEY} goes deeper than {MAX_DEPTH} files.")
        try:
            target = (file.parent / name).resolve()
        except (OSError, RuntimeError, ValueError) as exc:  # a loop of links, a NUL
            raise GatewayConfigError(f"{file}: {KEY} {name!r} names no file: {exc}") from exc
        if not any(target.is_relative_to(root) for root in self._roots):
            raise GatewayConfigError(f"{file}: {KEY} {name!r} lies outside the config's folder.")
        part = self._read(target)
        if part is None:
            raise GatewayConfigError(f"{file}: the included {name!r} does not exist.")
        self.parts.append(target)
        return self.resolve(part, target, depth=depth)


def _merge(below: Any, above: Any) -> Any:
    """Lay `above` over `below`: objects key by key, everything else replaces."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return below | {key: _merge(below[key], item) if key in below else item for key, item in above.items()}
