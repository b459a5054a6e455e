"""Changes that turn something on or off."""

from buddy_common.adapters.openclaw_config import Config
from buddy_worker.edits.objects import object_at


def enable_chat(config: Config, *, enabled: bool) -> None:
    """Turn the gateway's chat completions on or off.

    Raises:
        GatewayConfigError: something else is where that is said.
    """
    object_at(config, "gateway", "http", "endpoints", "chatCompletions")["enabled"] = enabled


def enable_plugin(config: Config, plugin: str, *, enabled: bool) -> None:
    """Turn a plugin on or off; where a list says which may run, it is put on that list.

    Raises:
        GatewayConfigError: something else is where that is said.
    """
    object_at(config, "plugins", "entries", plugin)["enabled"] = enabled
    plugins = object_at(config, "plugins")
    allowed, denied = plugins.get("allow"), plugins.get("deny")
    if enabled and isinstance(allowed, list) and allowed and plugin not in allowed:
        plugins["allow"] = [*allowed, plugin]
    if enabled and isinstance(denied, list) and plugin in denied:
        plugins["deny"] = [name for name in denied if name != plugin]
