"""Where a config refers to a provider or to one of its models, in each form that OpenClaw reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from buddy_common.adapters.openclaw_config import Config, models_of, providers_of, section
from buddy_common.config_diff import show_path
from buddy_worker.edits.model_names import aliased

Path = tuple[str, ...]
_LOGINS = ("auth",)
_PROVIDERS = ("models", "providers")


@dataclass(frozen=True)
class Target:
    """A provider, or one of its models."""

    provider: str
    model: str | None = None

    def is_key(self, name: str) -> bool:
        """Whether this is one of the models meant, as `provider/id`; the login to use may follow it."""
        provider, slash, model = name.partition("/")
        if not slash or not _same(provider, self.provider):
            return False
        return self.model is None or any(
            _same(self.model, part) for part in (model, model.rpartition("@")[0])
        )


def references_to(config: Config, target: Target) -> list[str]:
    """Return the paths at which the config refers to the target; the list of what may be chosen is none."""
    return [show_path(path) for path in _Search(config, target).below(config, ())]


def strike_off(config: Config, target: Target) -> None:
    """Take the target off the list of what may be chosen, with the aliases that it has there."""
    allowed = section(config, "agents", "defaults", "models")
    for key in [key for key in allowed if target.is_key(key)]:
        del allowed[key]


class _Search:
    """Looks for what refers to a target."""

    def __init__(self, config: Config, target: Target) -> None:
        self._config = config
        self._target = target
        self._ids = {entry.id.casefold() for entry in models_of(config) if target.is_key(entry.key)}
        self._others = {name.casefold() for name in providers_of(config)} - {target.provider.casefold()}

    def below(self, value: Any, path: Path, beside: Any = None) -> Iterator[Path]:
        """Return the paths of all texts that refer to it; `beside`: the object that a text is in."""
        if path in (_PROVIDERS, _LOGINS):  # these describe models and logins, and refer to none
            return
        if isinstance(value, str):
            if self._target.is_key(value) or self._is_named(value, path, beside):
                yield path
        elif isinstance(value, dict):
            for key, item in value.items():
                yield from self.below(item, (*path, key), value)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from self.below(item, (*path, str(index)))

    def _is_named(self, text: str, path: Path, beside: Any) -> bool:
        """Whether a text without provider means the target, where one means a model or a provider."""
        place = beside if isinstance(beside, dict) else {}
        if path[-1] in ("provider", "fallback"):
            chooses = "model" in place or _is_search(path[:-1])
            return self._target.model is None and chooses and _same(text, self._target.provider)
        if not _names_a_model(path) or str(place.get("provider", "")).strip().casefold() in self._others:
            return False
        names = (text, text.rpartition("@")[0])
        models = [key for name in names for key in aliased(self._config, name)]
        if models:  # OpenClaw asks for aliases first
            return any(self._target.is_key(key) for key in models)
        return any(name.strip().casefold() in self._ids for name in names)


def _names_a_model(path: Path) -> bool:
    """Whether this is a place for models: the settings of models, where their aliases are, are none."""
    if path[0] == "agents":
        path = path[2:] if path[1:2] == ("defaults",) else path[3:]  # the id of a bot may be any word
        if path[:1] == ("models",):
            return False
    return any("model" in key.casefold() for key in path)


def _is_search(path: Path) -> bool:
    """Whether this is the search in a memory, where a provider may stand without a model."""
    return path[-1:] == ("memorySearch",) or path[-2:] == ("memory", "search")


def _same(name: str, other: str) -> bool:
    return name.strip().casefold() == other.strip().casefold()
