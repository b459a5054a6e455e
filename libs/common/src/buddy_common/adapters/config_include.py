"""`$include` in `openclaw.json`: reading what the file and its parts say together. Nothing is written.

Source: OpenClaw's docs/gateway/configuration/common-tasks.md, "Split config into multiple files".
"""

import os
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
    config = read_config(path)
    if config is None:
        return None
    resolved = _resolve(config, path.absolute(), roots=_roots(path), depth=0)
    if not isinstance(resolved, dict):
        raise GatewayConfigError(f"{path} includes something that is no object.")
    return resolved


def _roots(path: Path) -> list[Path]:
    extra = os.environ.get("OPENCLAW_INCLUDE_ROOTS", "").split(os.pathsep)
    return [path.absolute().parent.resolve(), *(Path(root).resolve() for root in extra if root)]


def _resolve(value: Any, file: Path, *, roots: list[Path], depth: int) -> Any:
    if isinstance(value, list):
        return [_resolve(item, file, roots=roots, depth=depth) for item in value]
    if not isinstance(value, dict):
        return value
    siblings = {
        key: _resolve(item, file, roots=roots, depth=depth) for key, item in value.items() if key != KEY
    }
    if KEY not in value:
        return siblings
    merged: Any = {}
    for name in value[KEY] if isinstance(value[KEY], list) else [value[KEY]]:
        merged = _merge(merged, _included(name, file, roots=roots, depth=depth + 1))
    return _merge(merged, siblings) if siblings else merged


def _included(name: Any, file: Path, *, roots: list[Path], depth: int) -> Any:
    if not isinstance(name, str) or not name:
        raise GatewayConfigError(f"{file}: {KEY} must name a file.")
    if depth > MAX_DEPTH:
        raise GatewayConfigError(f"{file}: {KEY} goes deeper than {MAX_DEPTH} files.")
    try:
        target = (file.parent / name).resolve()
    except (OSError, RuntimeError, ValueError) as exc:  # a loop of links, a NUL
        raise GatewayConfigError(f"{file}: {KEY} {name!r} names no file: {exc}") from exc
    if not any(target.is_relative_to(root) for root in roots):
        raise GatewayConfigError(f"{file}: {KEY} {name!r} lies outside the config's folder.")
    part = read_config(target)
    if part is None:
        raise GatewayConfigError(f"{file}: the included {name!r} does not exist.")
    return _resolve(part, target, roots=roots, depth=depth)


def _merge(below: Any, above: Any) -> Any:
    """Lay `above` over `below`: objects key by key, everything else replaces."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return below | {key: _merge(below[key], item) if key in below else item for key, item in above.items()}
