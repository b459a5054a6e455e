"""The table of agents in a config, in both of its layouts.

2026.9 keeps `agents.entries` by id and wants `agents.ownership` and a system agent as soon as there are
several; before, it is the array `agents.list`. Source: OpenClaw's docs/gateway/configuration, and what its
own `agents add` writes.
"""

from collections.abc import Callable
from typing import Any

from buddy_common.adapters.openclaw_config import MAIN, Config, agents_of, default_agent, section
from buddy_common.errors import BotExistsError, GatewayConfigError, ProtectedBotError, UnknownBotError
from buddy_worker.edits.objects import object_at, rows_at

Entry = dict[str, Any]
_ENTRIES = ("agents", "entries")
_LIST = ("agents", "list")


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
        GatewayConfigError: something else is where bots are.
    """
    require_bot(config, bot)
    if _is_keyed(config, is_new=is_new):
        return object_at(config, *_ENTRIES, bot)
    rows = rows_at(config, *_LIST)
    for row in rows:
        if row.get("id") == bot:
            return row
    rows.append({"id": bot})
    return rows[-1]


def add_entry(config: Config, bot: str, entry: Entry, *, is_new: bool, main_workspace: str) -> None:
    """Add a bot; the one that was alone so far keeps what it was, also its workspace.

    Raises:
        BotExistsError: there is one of this id.
        GatewayConfigError: something else is where bots are.
    """
    known = [agent.id for agent in agents_of(config)]
    if bot in known:
        raise BotExistsError(bot)
    default = default_agent(config)
    if not _is_keyed(config, is_new=is_new):
        rows = rows_at(config, *_LIST)
        if not rows:
            rows.append({"id": default})
        rows.append({"id": bot, **entry})
        return
    first = object_at(config, *_ENTRIES, default)
    if len(known) == 1:
        first.setdefault("workspace", main_workspace)
    object_at(config, *_ENTRIES)[bot] = entry
    _own_explicitly(config, default)


def remove_entry(config: Config, bot: str) -> None:
    """Take a bot out, and whatever sends messages to it; in the newer layout as its `agents.delete` does.

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
    agents = object_at(config, "agents")
    if isinstance(agents.get("entries"), dict):
        del agents["entries"][bot]
        _prune(config, bot)
    else:
        agents["list"] = [row for row in agents["list"] if not _is(row, bot)]
        _forget(config, bot, default)


def _is_keyed(config: Config, *, is_new: bool) -> bool:
    """Whether bots are under `agents.entries`; a file with neither layout gets that of its OpenClaw."""
    agents = object_at(config, "agents")
    if "entries" in agents:
        return True
    if is_new:
        _migrate(config)
    return is_new


def _migrate(config: Config) -> None:
    """Turn an array into the object that the newer generation writes; it reads both, and keeps one."""
    rows = rows_at(config, *_LIST)
    ids = [row.get("id") for row in rows]
    if not all(isinstance(name, str) and name for name in ids) or len(set(ids)) < len(ids):
        raise GatewayConfigError("In openclaw.json, agents.list must have an `id` of its own in each row.")
    entries = {
        str(row["id"]): {key: value for key, value in row.items() if key not in ("id", "default")}
        for row in rows
    }
    default = next((str(row["id"]) for row in rows if row.get("default") is True), None)
    agents = object_at(config, "agents")
    del agents["list"]
    agents["entries"] = entries
    if len(entries) > 1:
        agents.setdefault("ownership", "explicit")
        chosen = default or next(iter(entries))
        object_at(config, "agents", "defaults", "systemAgent").setdefault("agentId", chosen)


def _own_explicitly(config: Config, default: str) -> None:
    """Say which agent is meant where none is named, as `openclaw agents add` does."""
    object_at(config, "agents").setdefault("ownership", "explicit")
    for path in (
        ("agents", "defaults", "systemAgent"),
        ("agents", "defaults", "heartbeat"),
        ("talk",),
    ):
        object_at(config, *path).setdefault("agentId", default)


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


def _prune(config: Config, bot: str) -> None:
    """Take out what names a bot that is gone, key by key as 2026.9 does (`pruneAgentConfig`)."""
    agents, defaults = section(config, "agents"), section(config, "agents", "defaults")
    has_several = len(agents["entries"]) > 1
    if has_several:
        agents["ownership"] = "explicit"
    else:
        agents.pop("ownership", None)
    if has_several and _means(section(defaults, "heartbeat").get("agentId"), bot):
        del defaults["heartbeat"]
    for holder, key in ((defaults, "heartbeat"), (defaults, "systemAgent"), (config, "talk")):
        _disown(holder, key, bot)
    for entry in (defaults, *agents["entries"].values()):
        _filter(section({"of": entry}, "of", "subagents"), "allowAgents", lambda name: not _means(name, bot))
    _prune_routes(config, bot)


def _prune_routes(config: Config, bot: str) -> None:
    """Take out what lets messages through to a bot that is gone."""
    talks, hooks, broadcast = (
        section(config, "tools", "agentToAgent"),
        section(config, "hooks"),
        section(config, "broadcast"),
    )
    _filter(config, "bindings", lambda row: not _is_of(row, bot), keeps_empty=False)
    _filter(talks, "allow", lambda name: name != bot, keeps_empty=False)
    _filter(hooks, "allowedAgentIds", lambda name: not _means(name, bot))
    _filter(hooks, "mappings", lambda row: not _is_of(row, bot))
    for peer in broadcast:
        _filter(broadcast, peer, lambda name: not _means(name, bot))
        _filter(section(broadcast, peer), "agents", lambda name: not _means(name, bot))


def _disown(holder: dict[str, Any], key: str, bot: str) -> None:
    """Take the bot out of an object that it owns, and the object if nothing else is in it."""
    owned = section(holder, key)
    if _means(owned.get("agentId"), bot):
        del owned["agentId"]
        if not owned:
            del holder[key]


def _filter(
    holder: dict[str, Any], key: str, stays: Callable[[Any], bool], *, keeps_empty: bool = True
) -> None:
    rows = holder.get(key)
    if not isinstance(rows, list):
        return
    holder[key] = [row for row in rows if stays(row)]
    if not holder[key] and not keeps_empty:
        del holder[key]


def _is_of(row: Any, bot: str) -> bool:
    return isinstance(row, dict) and _means(row.get("agentId"), bot)


def _means(name: Any, bot: str) -> bool:
    """Whether it is this bot's id, of which OpenClaw minds neither case nor spaces around it."""
    return isinstance(name, str) and name.strip().lower() == bot


def _is(entry: Any, bot: str) -> bool:
    return isinstance(entry, dict) and entry.get("id") == bot
