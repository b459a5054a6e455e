"""Changes of the WeChat channel."""

from datetime import UTC, datetime

from buddy_common.adapters.openclaw_config import Config
from buddy_common.schemas.wechat import PLUGIN
from buddy_worker.edits.objects import object_at
from buddy_worker.edits.switches import enable_plugin


def prepare_channel(config: Config) -> None:
    """Turn plugin and channel on, in the form in which OpenClaw starts the channel.

    Raises:
        GatewayConfigError: something else is where that is said.
    """
    enable_plugin(config, PLUGIN, enabled=True)
    channel = object_at(config, "channels", PLUGIN)
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
