"""Changes that turn something on or off."""

from buddy_common.adapters.openclaw_config import Config


def enable_chat(config: Config, *, enabled: bool) -> None:
    """Turn the gateway's chat completions on or off."""
    gateway = config.setdefault("gateway", {})
    endpoints = gateway.setdefault("http", {}).setdefault("endpoints", {})
    endpoints.setdefault("chatCompletions", {})["enabled"] = enabled


def enable_plugin(config: Config, plugin: str, *, enabled: bool) -> None:
    """Turn a plugin on or off; where a list says which may run, it is put on that list."""
    plugins = config.setdefault("plugins", {})
    plugins.setdefault("entries", {}).setdefault(plugin, {})["enabled"] = enabled
    allowed, denied = plugins.get("allow"), plugins.get("deny")
    if enabled and isinstance(allowed, list) and allowed and plugin not in allowed:
        plugins["allow"] = [*allowed, plugin]
    if enabled and isinstance(denied, list) and plugin in denied:
        plugins["deny"] = [name for name in denied if name != plugin]
