"""Which models are meant where one is named: by `provider/id`, by an id alone, or by an alias."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from buddy_common.adapters.openclaw_config import Config, models_of, named_models, section
from buddy_common.errors import InvalidRequestError, UnknownModelError

# what names a model in a bot's entry besides `model`, in either generation's schema
_NAMING: tuple[tuple[str, ...], ...] = (
    ("model",),
    ("decisionModel",),
    ("utilityModel",),
    ("heartbeat", "model"),
    ("subagents", "model"),
    ("tools", "exec", "reviewer", "model"),
    ("tts", "summaryModel"),
)
_MAY_BE_EMPTY = frozenset({"decisionModel", "utilityModel"})  # then there are no such calls


def resolve_model(config: Config, model: str, *, known: Collection[str]) -> str:
    """Return a model as `provider/id`: as it is given, or by what only one model is called.

    `known`: models that OpenClaw has besides those of the config's providers.

    Raises:
        UnknownModelError: no configured provider has it, or several do.
    """
    configured = models_of(config)
    if model in {entry.key for entry in configured} | set(known):
        return model
    candidates = [entry.key for entry in configured if entry.id == model]
    candidates += [key for key in aliased(config, model) if key not in candidates]
    if len(candidates) == 1:
        return candidates[0]
    # a name without provider that stands in the file may be one that nobody has
    if not candidates and "/" in model and model in named_models(config):
        return model
    raise UnknownModelError(model, candidates=candidates)


def aliased(config: Config, name: str) -> list[str]:
    """Return the models of which this is the alias; OpenClaw minds neither case nor spaces around it."""
    allowed = section(config, "agents", "defaults", "models")
    return [
        key
        for key, entry in allowed.items()
        if "/" in key and isinstance(entry, dict) and name.strip() and _is_same(entry.get("alias"), name)
    ]


def allow(config: Config, model: str) -> str:
    """Put a model on the list of those that may be chosen, where the config has such a list."""
    allowed = section(config, "agents", "defaults", "models")
    if allowed:
        allowed.setdefault(model, {})
    return model


def with_models(
    config: Config, fields: dict[str, Any], entry: dict[str, Any], *, known: Collection[str]
) -> dict[str, Any]:
    """Return a bot's new fields with every model in them as `provider/id`, and allow those.

    `entry`: what the config says of the bot now.

    Raises:
        UnknownModelError: no configured provider has one of them, or several do.
        InvalidRequestError: something else is where a model is named.
    """
    for path in _NAMING:
        fields = _put(fields, path, partial(_choice, config, entry=entry, path=path, known=known))
    allowed = section(entry, "modelPolicy").get("allow")
    fields = _put(fields, ("modelPolicy", "allow"), partial(_policy, config, there=allowed, known=known))
    return _put(fields, ("models",), partial(_settings, config, known=known))


def _put(fields: dict[str, Any], path: tuple[str, ...], change: Callable[[Any], Any]) -> dict[str, Any]:
    """Return the fields with the value at a path changed; where there is none, or null, they stay."""
    key, *rest = path
    value = fields.get(key)
    if value is None or (rest and not isinstance(value, dict)):
        return fields
    return fields | {key: _put(value, tuple(rest), change) if rest else change(value)}


def _choice(
    config: Config, value: Any, *, entry: dict[str, Any], path: tuple[str, ...], known: Collection[str]
) -> Any:
    """Resolve a model, or an object of one and its fallbacks."""
    there = section(entry, *path[:-1]).get(path[-1])
    place, stands = ".".join(path), _names_in(there)
    if not isinstance(value, dict):
        if value == "" and path[-1] in _MAY_BE_EMPTY:
            return value
        if value == there and "/" in str(value):  # sent back as it was read
            return value
        return _resolved(config, value, place, known, stands)
    made = dict(value)
    if isinstance(there, str):
        made.setdefault("primary", there)
    if made.get("primary") is not None:
        made["primary"] = _resolved(config, made["primary"], f"{place}.primary", known, stands)
    if made.get("fallbacks") is not None:
        made["fallbacks"] = _each(config, made["fallbacks"], f"{place}.fallbacks", known, stands)
    return made


def _names_in(value: Any) -> set[str]:
    """Return the models that a place names now."""
    parts = value if isinstance(value, list) else [value]
    if isinstance(value, dict):
        fallbacks = value.get("fallbacks")
        parts = [value.get("primary"), *(fallbacks if isinstance(fallbacks, list) else [])]
    return {part for part in parts if isinstance(part, str)}


def _policy(config: Config, value: Any, *, there: Any, known: Collection[str]) -> Any:
    """Resolve what may be chosen; `provider/*` names no model."""
    patterns = isinstance(value, list) and {name for name in value if str(name).endswith("/*")}
    return _each(config, value, "modelPolicy.allow", known, _names_in(there), besides=tuple(patterns or ()))


def _settings(config: Config, value: Any, *, known: Collection[str]) -> Any:
    """Resolve the models that a bot has settings for; what is taken away may be what nobody has."""
    if not isinstance(value, dict):
        return value
    return {
        name if setting is None else _resolved(config, name, "models", known): setting
        for name, setting in value.items()
    }


def _each(
    config: Config,
    value: Any,
    place: str,
    known: Collection[str],
    stands: Collection[str],
    *,
    besides: Collection[Any] = (),
) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidRequestError(f"config.{place}: give a list of models.")
    return [name if name in besides else _resolved(config, name, place, known, stands) for name in value]


def _resolved(
    config: Config, value: Any, place: str, known: Collection[str], stands: Collection[str] = ()
) -> str:
    """Resolve a model; one that cannot be, such as `${VAR}`, may stay where it `stands`."""
    if not isinstance(value, str):
        raise InvalidRequestError(f"config.{place}: give the name of a model.")
    try:
        return allow(config, resolve_model(config, value, known=known))
    except UnknownModelError:
        if value in stands:
            return value
        raise


def _is_same(alias: Any, name: str) -> bool:
    return isinstance(alias, str) and alias.strip().casefold() == name.strip().casefold()
