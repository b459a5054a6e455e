"""What mirrors OpenClaw, as the API shows it; further fields are passed on as OpenClaw names them."""

from typing import Any

from pydantic import BaseModel, ConfigDict


def _with(example: dict[str, Any]) -> ConfigDict:
    """Further fields are OpenClaw's own; the example is the documents'."""
    return ConfigDict(extra="allow", json_schema_extra={"example": example})


_BOT = {
    "id": "main",
    "name": "核心Bot",
    "model": "yovole/glm-5",
    "emoji": "🦞",
    "workspace": "/home/buddy/.openclaw/workspace",
    "workspaceGuessed": False,
    "isDefault": True,
    "agentName": None,
    "identity": {"name": "核心Bot", "emoji": "🦞"},
}
_MODEL = {
    "id": "yovole/glm-5",
    "modelId": "glm-5",
    "name": "GLM-5",
    "provider": "yovole",
    "isDefault": True,
    "input": ["text"],
    "contextWindow": 128000,
}
_PROVIDER = {
    "name": "yovole",
    "baseUrl": "https://maas.example.com/v1",
    "api": "openai-completions",
    "apiKey": "sk-…9f3c",
    "models": [{"id": "glm-5", "name": "GLM-5"}],
}
_ABOUT = {"updated_at": "2026-03-28 10:00:00", "source": "rpc", "stale": False, "age_ms": 812}
_CAPABILITY = {
    "route": "GET /v1/openclaw/plugins",
    "way": "cli",
    "methods": ["plugins.list"],
    "reason": "this OpenClaw has no plugins.list",
}

# ruff: noqa: N815 - the guide's and OpenClaw's names


class Bot(BaseModel):
    """A bot, which OpenClaw calls an agent."""

    model_config = _with(_BOT)

    id: str
    name: str
    model: str | None
    emoji: str | None
    workspace: str | None
    workspaceGuessed: bool
    isDefault: bool
    agentName: str | None
    identity: dict[str, Any]


class Model(BaseModel):
    """A model that bots may use; `id` is `provider/model`."""

    model_config = _with(_MODEL)

    id: str
    modelId: str
    name: str
    provider: str
    isDefault: bool
    input: list[str]
    contextWindow: int | None


class BotsModels(BaseModel):
    """The bots and the models of a node."""

    model_config = _with({"bots": [_BOT], "models": [_MODEL]})

    bots: list[Bot]
    models: list[Model]


class BotRank(BaseModel):
    """How much a bot was asked; `lastAskedAt` is RFC 3339, UTC."""

    model_config = _with(
        {
            "id": "main",
            "name": "核心Bot",
            "emoji": "🦞",
            "model": "yovole/glm-5",
            "messages": 42,
            "sessions": 7,
            "lastAskedAt": "2026-03-28T02:00:00+00:00",
        }
    )

    id: str
    name: str
    emoji: str | None
    model: str | None
    messages: int
    sessions: int
    lastAskedAt: str | None


class BotFile(BaseModel):
    """A file of a bot's workspace; `updatedAt` is RFC 3339."""

    model_config = _with(
        {"content": "# SOUL\n…", "name": "SOUL.md", "size": 1673, "updatedAt": "2026-03-28T10:00:00+00:00"}
    )

    content: str
    name: str
    size: int
    updatedAt: str


class Provider(BaseModel):
    """A provider of models as openclaw.json has it; secrets are masked."""

    model_config = _with(_PROVIDER)

    name: str


class ModelsConfig(BaseModel):
    """The providers of a node, and the model that bots use by default."""

    model_config = _with({"providers": [_PROVIDER], "defaultModel": "yovole/glm-5"})

    providers: list[Provider]
    defaultModel: str | None


class Skill(BaseModel):
    """A skill as OpenClaw lists it."""

    model_config = _with(
        {
            "name": "weather",
            "description": "Current weather and forecasts.",
            "source": "openclaw-bundled",
            "bundled": True,
            "eligible": True,
            "disabled": False,
        }
    )

    name: str


class Plugin(BaseModel):
    """A plugin as OpenClaw lists it."""

    model_config = _with(
        {
            "id": "openclaw-weixin",
            "name": "Weixin",
            "version": "2.4.9",
            "origin": "global",
            "enabled": True,
            "status": "loaded",
        }
    )

    id: str
    enabled: bool
    status: str | None


class Session(BaseModel):
    """A session as OpenClaw lists it; times in Unix ms."""

    model_config = _with(
        {
            "agentId": "main",
            "key": "agent:main:main",
            "sessionId": "722989bf-244d-4bd4-943c-e1892404f060",
            "updatedAt": 1774663200000,
            "model": "glm-5",
            "modelProvider": "yovole",
            "totalTokens": 12345,
        }
    )

    agentId: str
    key: str


class MirroredFlat(BaseModel):
    """How good an answer is whose fields stand beside this."""

    updated_at: str
    source: str
    stale: bool
    age_ms: int


class ChatStatus(MirroredFlat):
    """Whether the gateway's chat API is on."""

    model_config = _with({"enabled": True, **_ABOUT})

    enabled: bool


class Capability(BaseModel):
    """By which way a route gets its facts: rpc, cli, file or unavailable, and why not the first."""

    model_config = _with(_CAPABILITY)

    route: str
    way: str
    methods: list[str]
    reason: str | None


class Capabilities(MirroredFlat):
    """What Buddy can do with the OpenClaw of a node."""

    model_config = _with(
        {
            "version": "2026.3.28",
            "protocol": 3,
            "connected": True,
            "problem": None,
            "routes": [_CAPABILITY],
            **_ABOUT,
        }
    )

    version: str | None
    protocol: int | None
    connected: bool
    problem: str | None
    routes: list[Capability]


class DashboardUrl(BaseModel):
    """Where the gateway's panel is."""

    model_config = _with({"url": "http://127.0.0.1:3000/v1/proxy/"})

    url: str
