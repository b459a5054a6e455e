"""The bots, which OpenClaw calls agents, and the models that they may use."""

import asyncio
from pathlib import Path
from typing import Any

from buddy_common.adapters.openclaw_config import (
    AgentEntry,
    Config,
    ModelEntry,
    agents_of,
    default_agent,
    default_model,
    models_of,
    named_models,
    primary_model,
    section,
)
from buddy_common.errors import GatewayRpcError
from buddy_common.schemas.resources import Resource
from buddy_worker.reads.sources import Files, GatewayCalls, is_new_generation

_UNAVAILABLE = "UNAVAILABLE"


async def read_bots_models(gateway: GatewayCalls, files: Files) -> dict[str, Any]:
    """Ask the gateway; what the older generation leaves out is added from the file."""
    listed = await gateway.call("agents.list")
    default = str(listed.get("defaultId") or default_agent(files.config))
    in_file = {agent.id: agent for agent in agents_of(files.config)}
    agents = [entry for entry in listed.get("agents") or [] if isinstance(entry, dict)]
    bots = [_bot(entry, in_file.get(str(entry.get("id"))), default) for entry in agents]
    await _add_workspaces(gateway, bots, files)
    try:
        models = await _models(gateway, files.config, default)
    except GatewayRpcError as exc:
        if exc.code != _UNAVAILABLE:
            raise
        # it loads its catalogue anew, as after each change
        models = (await asyncio.to_thread(bots_models_of, files))["models"]
    return {"bots": bots, "models": models}


def bots_models_of(files: Files) -> dict[str, Any]:
    """Return what the files alone tell; where a workspace is, the gateway may have said before."""
    config, default = files.config, default_agent(files.config)
    told = files.workspaces.under(config)
    bots = [
        _bot({"id": agent.id, "name": agent.name, "identity": agent.identity}, agent, default)
        for agent in agents_of(config)
    ]
    for bot in bots:
        bot["workspace"] = bot["workspace"] or told.get(bot["id"])
        if bot["workspace"] is None:
            bot |= {"workspace": guess_workspace(files, bot["id"]), "workspaceGuessed": True}
    catalog = {model["id"]: model for model in (files.last.get(Resource.BOTS_MODELS) or {}).get("models", [])}
    models = [_configured(entry, catalog.get(entry.key, {}), config) for entry in models_of(config)]
    return {"bots": bots, "models": models}


def guess_workspace(files: Files, bot: str) -> str:
    """Return where OpenClaw keeps an agent's workspace when the file does not say: whichever is there."""
    own = files.state_dir / f"workspace-{bot}"
    shared = [files.state_dir / "workspace", Path("~/.openclaw/workspace").expanduser()]
    is_default = bot == default_agent(files.config)
    candidates = [own, *(shared if is_default else [])]
    for_all = section(files.config, "agents", "defaults").get("workspace")
    if isinstance(for_all, str) and for_all:  # the older generation means the default agent's alone
        root = Path(for_all).expanduser()
        candidates = [root / bot, *([root] if is_default else []), *candidates]
    return str(next((folder for folder in candidates if folder.is_dir()), own))


def _bot(entry: dict[str, Any], in_file: AgentEntry | None, default: str) -> dict[str, Any]:
    identity = entry.get("identity")
    identity = identity if isinstance(identity, dict) else {}
    own_name = entry.get("name") or (in_file.name if in_file else None)
    return {
        "id": str(entry.get("id")),
        "name": identity.get("name") or own_name or str(entry.get("id")),
        "model": primary_model(entry.get("model")) or (in_file.model if in_file else None),
        "emoji": identity.get("emoji"),
        "workspace": entry.get("workspace") or (in_file.workspace if in_file else None),
        "workspaceGuessed": False,  # the files alone do not always say where it is
        "isDefault": entry.get("id") == default,
        "agentName": own_name,
        "identity": identity,
    }


async def _add_workspaces(gateway: GatewayCalls, bots: list[dict[str, Any]], files: Files) -> None:
    """Add what the older generation tells of one agent at a time, and keep what the file does not say."""
    lately = files.workspaces.lately(files.config)
    asked = [bot for bot in bots if bot["workspace"] is None and not lately.get(bot["id"])]
    for bot in bots:
        if bot["workspace"] is None:
            bot["workspace"] = lately.get(bot["id"]) or await _ask_workspace(gateway, bot["id"])
    in_file = {agent.id for agent in agents_of(files.config) if agent.workspace}
    told = {bot["id"]: bot["workspace"] for bot in bots if bot["id"] not in in_file}
    if asked or told != lately:
        files.workspaces.keep(files.config, told)


async def _ask_workspace(gateway: GatewayCalls, bot: str) -> str | None:
    answer = await gateway.call("agents.files.list", {"agentId": bot})
    workspace = answer.get("workspace")
    return str(workspace) if workspace else None


async def _models(gateway: GatewayCalls, config: Config, default: str) -> list[dict[str, Any]]:
    """Return what the gateway lists; of the whole catalogue of the older one, what is configured."""
    wants_agent = is_new_generation(gateway)  # with several agents it insists on one
    answer = await gateway.call("models.list", {"agentId": default} if wants_agent else {})
    rows = [row for row in answer.get("models") or [] if isinstance(row, dict)]
    catalog = {f"{row.get('provider')}/{row.get('id')}": row for row in rows}
    if wants_agent:  # it does not tell what a model takes in
        in_file = {entry.key: entry.raw for entry in models_of(config)}
        return [
            row | _model(in_file.get(key, {}) | row, str(row.get("provider")), config)
            for key, row in catalog.items()
        ]
    configured = {
        entry.key: _configured(entry, catalog.get(entry.key, {}), config) for entry in models_of(config)
    }
    for name in sorted(named_models(config) & set(catalog) - set(configured)):
        configured[name] = catalog[name] | _model(catalog[name], str(catalog[name]["provider"]), config)
    return list(configured.values())


def _configured(entry: ModelEntry, said: dict[str, Any], config: Config) -> dict[str, Any]:
    """Return a model as the file has it, with what OpenClaw said of it; the file's secrets stay there."""
    return said | _model(said | entry.raw, entry.provider, config)


def _model(raw: dict[str, Any], provider: str, config: Config) -> dict[str, Any]:
    key = f"{provider}/{raw.get('id')}"
    inputs = raw.get("input")
    return {
        "id": key,
        "modelId": str(raw.get("id")),
        "name": str(raw.get("name") or raw.get("id")),
        "provider": provider,
        "isDefault": key == default_model(config),
        "input": inputs if isinstance(inputs, list) and inputs else ["text"],
        "contextWindow": raw.get("contextWindow"),
    }
