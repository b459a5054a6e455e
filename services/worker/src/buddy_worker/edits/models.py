"""Changes of providers and their models."""

from collections.abc import Collection
from typing import Any

from buddy_common.adapters.openclaw_config import Config, providers_of
from buddy_common.errors import InUseError, NoSuchModelError, UnknownProviderError
from buddy_worker.edits.model_names import allow, resolve_model
from buddy_worker.edits.model_references import Target, references_to, strike_off
from buddy_worker.edits.objects import merge, object_at, rows_at
from buddy_worker.edits.secrets import with_secrets

_PROVIDERS = ("models", "providers")


def set_provider(config: Config, name: str, fields: dict[str, Any]) -> None:
    """Add a provider, or change the fields that are given; a masked secret means the one that is there.

    Raises:
        GatewayConfigError: something else is where providers are.
        InvalidRequestError: a mask stands for no secret that is there.
    """
    is_new = name not in object_at(config, *_PROVIDERS)
    provider = object_at(config, *_PROVIDERS, name)
    _set(provider, with_secrets(fields, provider))
    if is_new:
        provider.setdefault("models", [])


def set_model(config: Config, provider: str, model: str, fields: dict[str, Any]) -> None:
    """Add a model to a provider, or change the fields that are given.

    Raises:
        UnknownProviderError: there is no such provider.
        GatewayConfigError: it has something else than models.
        InvalidRequestError: a mask stands for no secret that is there.
    """
    models = _models(config, provider)
    entry = next((row for row in models if row.get("id") == model), None)
    if entry is None:
        entry = {"id": model, "name": model}
        models.append(entry)
    _set(entry, with_secrets({key: value for key, value in fields.items() if key != "id"}, entry))


def delete_provider(config: Config, provider: str) -> None:
    """Take a provider out, with all its models.

    Raises:
        UnknownProviderError: there is no such provider.
        InUseError: something refers to one of its models.
    """
    _require_provider(config, provider)
    _require_unused(config, f"The provider {provider!r}", Target(provider))
    del object_at(config, *_PROVIDERS)[provider]


def delete_model(config: Config, provider: str, model: str) -> None:
    """Take a model out of its provider.

    Raises:
        UnknownProviderError: there is no such provider.
        NoSuchModelError: it has no such model.
        InUseError: something refers to the model.
    """
    models = _models(config, provider)
    left = [row for row in models if row.get("id") != model]
    if len(left) == len(models):
        raise NoSuchModelError(provider, model)
    _require_unused(config, f"The model {provider}/{model}", Target(provider, model))
    models[:] = left


def set_default(config: Config, model: str, *, known: Collection[str]) -> None:
    """Set the model of all bots that have none of their own; fallbacks stay.

    Raises:
        UnknownModelError: no configured provider has it, or several do.
        GatewayConfigError: something else is where that is said.
    """
    key = resolve_model(config, model, known=known)
    defaults = object_at(config, "agents", "defaults")
    chosen = defaults.get("model")
    defaults["model"] = chosen | {"primary": key} if isinstance(chosen, dict) else {"primary": key}
    allow(config, key)


def _require_provider(config: Config, provider: str) -> None:
    known = providers_of(config)
    if provider not in known:
        raise UnknownProviderError(provider, known=list(known))


def _models(config: Config, provider: str) -> list[dict[str, Any]]:
    _require_provider(config, provider)
    return rows_at(config, *_PROVIDERS, provider, "models")


def _set(target: dict[str, Any], fields: dict[str, Any]) -> None:
    """Replace the fields that are given; null takes one away, also within what replaces another."""
    for key, value in fields.items():
        if isinstance(value, dict):
            target[key] = {}
        merge(target, {key: value})


def _require_unused(config: Config, what: str, target: Target) -> None:
    """Check that nothing refers to a model; what may be chosen only is struck off that list.

    Raises:
        InUseError: something does.
    """
    references = references_to(config, target)
    if references:
        raise InUseError(what, references=references)
    strike_off(config, target)
