"""The names under which host planes publish to the read model."""

from enum import StrEnum


class Resource(StrEnum):
    """One entry of a node's read model."""

    # what the watchdog sees
    GATEWAY = "gateway"
    SYSTEM = "system"
    OPENCLAW = "openclaw"
    HEALING = "healing"
    # what the worker's reader mirrors of OpenClaw
    BOTS_MODELS = "bots-models"
    BOTS_TOP = "bots-top"
    MODELS_CONFIG = "models-config"
    SKILLS = "skills"
    PLUGINS = "plugins"
    SESSIONS = "sessions"
    CHAT = "chat"
    WECHAT = "wechat"
    CAPABILITIES = "capabilities"


MIRRORED = (
    Resource.BOTS_MODELS,
    Resource.MODELS_CONFIG,
    Resource.CHAT,
    Resource.SKILLS,
    Resource.PLUGINS,
    Resource.WECHAT,
    Resource.SESSIONS,
    Resource.BOTS_TOP,
)
