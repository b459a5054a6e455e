"""The table of agents in a config, in both of its layouts.

2026.9 keeps `agents.entries` by id and wants `agents.ownership` and a system agent as soon as there are
several; before, it is the array `agents.list`. Source: OpenClaw's docs/gateway/configuration, and what its
own `agents add` writes.
"""

from typing import Any

from buddy_common.adapters.openclaw_config import MAIN, Config, agents_of, default_agent, section
from buddy_common.errors import BotExistsError, ProtectedBotError, UnknownBotError

Entry = dict[str, Any]


def require_bot(config: Config, bot: str) -> None:
    """Check that there is such a bot.

    Raises:
        UnknownBotError: there is none.
    """
    if bot not in {agent.id for agent in agents_of(config)}:
        raise UnknownBotError(bot)


def entry_of(config: Config, bot: str, *, is_new: bool) -> Entry:
    """Return the entry of a bot, to be changed in place; the implicit `main` gets one.

    Raises:
        UnknownBotError: there is no such bot.
    """
    require_bot(config, bot)
    agents = _agents(config)
    table = _table(agents, is_new=is_new)
    if isinstance(table, dict):
        return _object(table, bot)
    for entry in table:
        if isinstance(entry, dict) and entry.get("id") == bot:
            return entry
    table.append({"id": bot})
    return entry_of(config, bot, is_new=is_new)


def add_entry(config: Config, bot: str, entry: Entry, *, is_new: bool, main_workspace: str) -> None:
    """Add a bot; the one that was alone so far keeps what it was, also its workspace.

    Raises:
        BotExistsError: there is one of this id.
    """
    known = [agent.id for agent in agents_of(config)]
    if bot in known:
        raise BotExistsError(bot)
    agents, default = _agents(config), default_agent(config)
    table = _table(agents, is_new=is_new)
    if isinstance(table, list):
        if not table:
            table.append({"id": default})
        table.append({"id": bot, **entry})
        return
    first = _object(table, default)
    if len(known) == 1:
        first.setdefault("workspace", main_workspace)
    table[bot] = entry
    _own_explicitly(config, agents, default)


def remove_entry(config: Config, bot: str) -> None:
    """Take a bot out, and whatever sends messages to it.

    Raises:
        UnknownBotError: there is no such bot.
        ProtectedBotError: it is the default one, or the last.
    """
    require_bot(config, bot)
    default = default_agent(config)
    if bot in (default, MAIN):
        raise ProtectedBotError(f"{bot!r} is the default bot: make another one the default first.")
    if len(agents_of(config)) == 1:
        raise ProtectedBotError(f"{bot!r} is the last bot.")
    agents = _agents(config)
    if isinstance(agents.get("entries"), dict):
        agents["entries"].pop(bot)
    else:
        agents["list"] = [entry for entry in agents["list"] if not _is(entry, bot)]
    _forget(config, bot, default)


def _agents(config: Config) -> dict[str, Any]:
    return _object(config, "agents")


def _table(agents: dict[str, Any], *, is_new: bool) -> dict[str, Any] | list[Any]:
    """Return the table in the layout of the file; a file without one gets that of its OpenClaw."""
    if isinstance(agents.get("entries"), dict):
        return _object(agents, "entries")
    if isinstance(agents.get("list"), list) and not is_new:
        found: list[Any] = agents["list"]
        return found
    if is_new:
        return _migrated(agents)
    made: list[Any] = []
    agents["list"] = made
    return made


def _migrated(agents: dict[str, Any]) -> dict[str, Any]:
    """Turn an array into the object that the newer generation writes; it reads both, and keeps one."""
    old = agents.pop("list", None)
    rows = [row for row in old if isinstance(row, dict) and row.get("id")] if isinstance(old, list) else []
    entries = {
        str(row["id"]): {key: value for key, value in row.items() if key not in ("id", "default")}
        for row in rows
    }
    default = next((str(row["id"]) for row in rows if row.get("default") is True), None)
    agents["entries"] = entries
    if len(entries) > 1:
        agents.setdefault("ownership", "explicit")
        chosen = default or next(iter(entries))
        _object(_object(agents, "defaults"), "systemAgent").setdefault("agentId", chosen)
    return entries


def _own_explicitly(config: Config, agents: dict[str, Any], default: str) -> None:
    """Say which agent is meant where none is named, as `openclaw agents add` does."""
    agents.setdefault("ownership", "explicit")
    defaults = _object(agents, "defaults")
    for holder in (
        _object(defaults, "systemAgent"),
        _object(defaults, "heartbeat"),
        _object(config, "talk"),
    ):
        holder.setdefault("agentId", default)


def _forget(config: Config, bot: str, default: str) -> None:
    bindings = config.get("bindings")
    if isinstance(bindings, list):
        config["bindings"] = [
            row for row in bindings if not (isinstance(row, dict) and row.get("agentId") == bot)
        ]
    for holder in (section(config, "agents", "defaults", "heartbeat"), section(config, "talk")):
        if holder.get("agentId") == bot:
            holder["agentId"] = default
    talks = section(config, "tools", "agentToAgent")
    if isinstance(talks.get("allow"), list):
        talks["allow"] = [name for name in talks["allow"] if name != bot]


def _is(entry: Any, bot: str) -> bool:
    return isinstance(entry, dict) and entry.get("id") == bot


def _object(holder: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the object under a key, made where there is none."""
    found = holder.get(key)
    if not isinstance(found, dict):
        found = holder[key] = {}
    return found
