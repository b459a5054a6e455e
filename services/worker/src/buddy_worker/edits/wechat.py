"""Changes of the WeChat channel."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from buddy_common.adapters.openclaw_config import Config, section
from buddy_common.schemas.wechat import PLUGIN
from buddy_worker.edits.objects import object_at
from buddy_worker.edits.switches import enable_plugin


@dataclass(frozen=True)
class ChannelSettings:
    """What an operator has set of plugin and channel; the older OpenClaw drops it with the plugin."""

    plugin: Mapping[str, Any] = field(default_factory=dict)
    channel: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config) -> "ChannelSettings":
        """Return what is set in a config."""
        return cls(section(config, "plugins", "entries", PLUGIN), section(config, "channels", PLUGIN))


def prepare_channel(config: Config, *, settings: ChannelSettings) -> None:
    """Turn plugin and channel on, in the form in which OpenClaw starts the channel.

    `settings`: of before; what is missing of them comes back.

    Raises:
        GatewayConfigError: something else is where that is said.
    """
    _fill(object_at(config, "plugins", "entries", PLUGIN), settings.plugin)
    enable_plugin(config, PLUGIN, enabled=True)
    channel = object_at(config, "channels", PLUGIN)
    _fill(channel, settings.channel)
    # a channel that only says `enabled` is refused as `invalid channels.start channel`
    object_at(config, "channels", PLUGIN, "accounts")
    if channel.get("enabled") is False:
        channel["enabled"] = True


def touch_channel(config: Config) -> None:
    """Have the gateway load the channel's accounts anew, as the plugin itself does after a login.

    Raises:
        GatewayConfigError: something else is where that is said.
    """
    object_at(config, "channels", PLUGIN)["channelConfigUpdatedAt"] = datetime.now(UTC).isoformat()


def _fill(target: dict[str, Any], settings: Mapping[str, Any]) -> None:
    for key, value in settings.items():
        if target.get(key) in (None, {}):  # the older OpenClaw writes empty objects
            target[key] = deepcopy(value)
