"""Changes of single bots."""

from collections.abc import Collection
from typing import Any

from buddy_common.adapters.openclaw_config import Config
from buddy_common.errors import InvalidRequestError
from buddy_worker.edits.agents import Entry, entry_of
from buddy_worker.edits.model_names import allow, resolve_model, with_models
from buddy_worker.edits.objects import merge
from buddy_worker.edits.secrets import with_secrets

IDENTITY = ("name", "emoji", "theme", "avatar")
# what `bots/add`, `bots/delete` and OpenClaw itself decide
_FIXED = frozenset({"id", "agentDir", "default"})


def new_entry(
    config: Config,
    *,
    name: str,
    emoji: str | None,
    model: str | None,
    workspace: str,
    known: Collection[str],
) -> Entry:
    """Return the entry of a new bot.

    Raises:
        UnknownModelError: no configured provider has the model.
    """
    identity = {"name": name} | ({"emoji": emoji} if emoji else {})
    entry: Entry = {"name": name, "workspace": workspace, "identity": identity}
    if model is not None:
        entry["model"] = allow(config, resolve_model(config, model, known=known))
    return entry


def set_identity(config: Config, bot: str, fields: dict[str, str], *, is_new: bool) -> None:
    """Set the name and the looks of a bot.

    Raises:
        UnknownBotError: there is no such bot.
    """
    entry = entry_of(config, bot, is_new=is_new)
    identity = entry.get("identity")
    entry["identity"] = (identity if isinstance(identity, dict) else {}) | fields


def set_model(config: Config, bot: str, model: str, *, is_new: bool, known: Collection[str]) -> None:
    """Give a bot a model of its own; its fallbacks stay.

    Raises:
        UnknownBotError: there is no such bot.
        UnknownModelError: no configured provider has the model.
    """
    entry = entry_of(config, bot, is_new=is_new)
    _give_model(entry, allow(config, resolve_model(config, model, known=known)))


def _give_model(entry: dict[str, Any], model: str) -> None:
    has = entry.get("model")
    entry["model"] = has | {"primary": model} if isinstance(has, dict) else model


def update(config: Config, bot: str, fields: dict[str, Any], *, is_new: bool, known: Collection[str]) -> None:
    """Change what a bot's entry says; a key whose value is null goes, objects are merged.

    Raises:
        UnknownBotError: there is no such bot.
        UnknownModelError: no configured provider has the model.
        InvalidRequestError: a key is not for clients to change, or something else is where a model is named.
    """
    fixed = sorted(_FIXED & set(fields))
    if fixed:
        raise InvalidRequestError(f"config.{fixed[0]}: a bot keeps that for its life.")
    entry = entry_of(config, bot, is_new=is_new)
    fields = with_models(config, with_secrets(fields, entry), entry, known=known)
    for key, value in fields.items():
        if key == "model" and isinstance(value, str):
            _give_model(entry, value)
        elif key in IDENTITY:
            merge(entry, {"identity": {key: value}})
        else:
            merge(entry, {key: value})
