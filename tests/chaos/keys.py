"""The keys that clients write, and where each is kept. Pure."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from buddy_common.adapters.config_files import parse_config
from buddy_common.errors import GatewayConfigError

CONFIG = "config: "  # keys of openclaw.json begin with this: only they may be rolled back
PROVIDER = "second"
BOT_NAME, LATER_BOT_NAME = f"{CONFIG}name of bot_1", f"{CONFIG}name of bot_2"
MODEL = f"{CONFIG}model {PROVIDER}/"
NOTE = "file of bot_1: "
FILE = f"{NOTE}SOUL.md"
ROW = "database: quick command "
THERE, GONE = "there", "gone"
_NAMED = {BOT_NAME: "bot_1", LATER_BOT_NAME: "bot_2"}

Values = dict[str, str | None]


def config_values(content: bytes, keys: Iterable[str]) -> Values:
    """Return what a content of `openclaw.json` says of those keys that are kept there."""
    try:
        config: Any = parse_config(content)
    except GatewayConfigError:
        config = {}
    rows = _at(config, "models", "providers", PROVIDER, "models")
    models = {row.get("id") for row in rows if isinstance(row, dict)} if isinstance(rows, list) else set()
    values: Values = {}
    for key in keys:
        if key in _NAMED:
            name = _at(config, "agents", "entries", _NAMED[key], "identity", "name")
            values[key] = name if isinstance(name, str) else None
        elif key.startswith(MODEL):
            values[key] = THERE if key.removeprefix(MODEL) in models else GONE
    return values


def file_values(workspace: Path, keys: Iterable[str]) -> Values:
    """Return what those keys are now that are files, read from the disk."""
    return {key: _text_of(workspace / key.removeprefix(NOTE)) for key in keys if key.startswith(NOTE)}


def row_values(labels: set[str], keys: Iterable[str]) -> Values:
    """Return which of the keys that are rows are there."""
    return {key: THERE if key.removeprefix(ROW) in labels else GONE for key in keys if key.startswith(ROW)}


def _text_of(file: Path) -> str | None:
    try:
        return file.read_text()
    except FileNotFoundError:
        return None


def _at(config: Any, *path: str) -> Any:
    for key in path:
        config = config.get(key, {}) if isinstance(config, dict) else {}
    return config
