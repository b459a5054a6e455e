"""A config with two providers and their models."""

from collections.abc import Callable
from typing import Any

Config = dict[str, Any]
SECRET = "sk-0123456789abcd"


def every(*changes: Callable[[Config], object]) -> tuple[Callable[[Config], object], ...]:
    return changes


def config() -> Config:
    return {
        "models": {
            "mode": "merge",
            "providers": {
                "x": {
                    "baseUrl": "https://x.example/v1",
                    "apiKey": SECRET,
                    "headers": {"X-Org": "a-secret-header"},
                    "models": [{"id": "one", "name": "One"}, {"id": "meta/two:free", "name": "Two"}],
                },
                "y": {"baseUrl": "https://y.example/v1", "models": [{"id": "one", "name": "One"}]},
            },
        },
        "agents": {"defaults": {"model": {"primary": "x/one", "fallbacks": ["y/one"]}}},
    }


def x(made: Config) -> Config:
    found: Config = made["models"]["providers"]["x"]
    return found


def put(made: Config, path: str, value: Any) -> None:
    *holders, last = path.split("/")
    for key in holders:
        made = made.setdefault(key, {})
    made[last] = value


def unused(alias: str | None = None) -> Config:
    """Return a config that refers to no model, with one that may be chosen."""
    made = config()
    made["models"]["providers"]["z"] = {"models": [{"id": "deep-1"}, {"id": "org/deep-2"}]}
    settings: Config = {} if alias is None else {"alias": alias}
    made["agents"] = {"defaults": {"models": {"z/deep-1": settings, "z/org/deep-2": {}, "y/one": {}}}}
    return made
