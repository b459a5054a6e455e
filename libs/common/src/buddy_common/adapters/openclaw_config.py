"""What `openclaw.json` says of agents, models and channels, in both of its layouts.

2026.9 keeps agents as `agents.entries`, an object by id; before, they are the array `agents.list`. A file
without either has one agent, `main`. Source: OpenClaw's docs/gateway/configuration.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAIN = "main"
Config = dict[str, Any]


@dataclass(frozen=True)
class AgentEntry:
    """One agent as the file has it; what the file leaves open is None."""

    id: str
    name: str | None
    identity: dict[str, Any]
    workspace: str | None
    model: str | None  # its own, else that of `agents.defaults`


@dataclass(frozen=True)
class ModelEntry:
    """One model of a provider as the file has it."""

    provider: str
    id: str
    raw: dict[str, Any]

    @property
    def key(self) -> str:
        """What OpenClaw calls it elsewhere: `provider/id`; the id may hold slashes itself."""
        return f"{self.provider}/{self.id}"


def agents_of(config: Config) -> list[AgentEntry]:
    """Return the agents in the order of the file; at least `main`."""
    fallback = default_model(config)
    found = [
        AgentEntry(
            id=name,
            name=_text(entry.get("name")),
            identity=_object(entry.get("identity")),
            workspace=_text(entry.get("workspace")),
            model=primary_model(entry.get("model")) or fallback,
        )
        for name, entry in _entries(section(config, "agents"))
    ]
    return found or [AgentEntry(MAIN, None, {}, None, fallback)]


def panel_base(config: Config) -> str:
    """Return the path below which the panel is (`gateway.controlUi.basePath`), empty for the root."""
    path = (_text(section(config, "gateway", "controlUi").get("basePath")) or "").strip().strip("/")
    return f"/{path}" if path else ""


def has_tls(config: Config) -> bool:
    """Return whether the gateway speaks HTTPS and WSS only (`gateway.tls.enabled`)."""
    return section(config, "gateway", "tls").get("enabled") is True


def default_agent(config: Config) -> str:
    """Return the agent that is meant when none is named."""
    agents = section(config, "agents")
    for name, entry in _entries(agents):
        if entry.get("default") is True:
            return name
    chosen = _text(section(config, "agents", "defaults", "systemAgent").get("agentId"))
    ids = [agent.id for agent in agents_of(config)]
    if chosen in ids and chosen is not None:
        return chosen
    if MAIN in ids and isinstance(agents.get("entries"), dict):
        return MAIN
    return ids[0]  # as the older generation does with its list


def default_model(config: Config) -> str | None:
    """Return `agents.defaults.model`, None where it is not set."""
    return primary_model(section(config, "agents", "defaults").get("model"))


def primary_model(value: Any) -> str | None:
    """Return the model of a `model` field, which is a text or an object with `primary`."""
    return _text(value.get("primary")) if isinstance(value, dict) else _text(value)


def providers_of(config: Config) -> dict[str, dict[str, Any]]:
    """Return `models.providers`."""
    providers = section(config, "models", "providers")
    return {name: value for name, value in providers.items() if isinstance(value, dict)}


def models_of(config: Config) -> list[ModelEntry]:
    """Return the models of all configured providers, in the order of the file."""
    return [
        ModelEntry(provider, str(model["id"]), model)
        for provider, value in providers_of(config).items()
        for model in _list(value.get("models"))
        if isinstance(model, dict) and "id" in model
    ]


def named_models(config: Config) -> set[str]:
    """Return the models that the file refers to, as `provider/id`."""
    defaults = section(config, "agents", "defaults")
    found = {agent.model for agent in agents_of(config)} | {default_model(config)}
    for holder in (
        defaults.get("model"),
        *(entry.get("model") for _, entry in _entries(section(config, "agents"))),
    ):
        if isinstance(holder, dict):
            found |= {_text(name) for name in _list(holder.get("fallbacks"))}
    found |= set(section(config, "agents", "defaults", "models"))
    return {name for name in found if name}


def chat_enabled(config: Config) -> bool:
    """Whether the gateway answers `/v1/chat/completions`; by default it does not."""
    endpoint = section(config, "gateway", "http", "endpoints", "chatCompletions")
    return endpoint.get("enabled") is True


def heartbeat_prompts(config: Config) -> set[str]:
    """Return what agents are woken with instead of OpenClaw's own words."""
    agents = section(config, "agents")
    holders = [section(agents, "defaults"), *(entry for _, entry in _entries(agents))]
    found = (_text(section(holder, "heartbeat").get("prompt")) for holder in holders)
    return {prompt.strip() for prompt in found if prompt and prompt.strip()}


def gateway_token(config: Config) -> str | None:
    """Return `gateway.auth.token` where it is a plain text, None where it is not set or kept elsewhere."""
    return _text(section(config, "gateway", "auth").get("token"))


def section(config: Config, *path: str) -> dict[str, Any]:
    """Return the object at a path, an empty one where there is none."""
    value: Any = config
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return _object(value)


def _entries(agents: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    entries = agents.get("entries")
    if isinstance(entries, dict):
        yield from ((name, _object(entry)) for name, entry in entries.items())
        return
    for entry in _list(agents.get("list")):
        if isinstance(entry, dict) and _text(entry.get("id")):
            yield str(entry["id"]), entry


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
