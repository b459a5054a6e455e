"""The WeChat channel: its plugin, and the accounts that are bound."""

import asyncio
import json
from pathlib import Path
from typing import Any

from buddy_common.adapters.openclaw_config import section
from buddy_common.schemas.resources import Resource
from buddy_worker.reads.sources import Files, GatewayCalls

PLUGIN = "openclaw-weixin"


async def read_wechat(gateway: GatewayCalls, files: Files) -> dict[str, Any]:
    """Ask the gateway how each account does; who is bound stands in the plugin's own files."""
    answer = await gateway.call("channels.status")
    live = (answer.get("channelAccounts") or {}).get(PLUGIN)
    return await asyncio.to_thread(_status, files, [row for row in live or [] if isinstance(row, dict)])


def wechat_of(files: Files) -> dict[str, Any]:
    """Return what the plugin's files tell."""
    return _status(files, None)


def _status(files: Files, live: list[dict[str, Any]] | None) -> dict[str, Any]:
    folder = files.state_dir / PLUGIN
    entry = section(files.config, "plugins", "entries", PLUGIN)
    listed = [row for row in files.last.get(Resource.PLUGINS) or [] if row.get("id") == PLUGIN]
    # the newer generation also lists what could be installed
    plugin = next((row for row in listed if row.get("installed") is not False), None)
    by_id = {str(row.get("accountId")): row for row in live or []}
    bound = [str(name) for name in _read(folder / "accounts.json", []) if isinstance(name, str)]
    accounts = [
        _account(folder, name, by_id.get(name), live is not None) for name in dict.fromkeys([*bound, *by_id])
    ]
    return {
        "installed": plugin is not None or bool(entry) or folder.is_dir(),
        "enabled": entry.get("enabled") is True,
        "configured": bool(accounts) and entry.get("enabled") is True,
        "pluginVersion": plugin.get("version") if plugin else None,
        "accounts": accounts,
    }


def _account(folder: Path, name: str, live: dict[str, Any] | None, connected: bool) -> dict[str, Any]:  # noqa: FBT001 - private
    saved = _read(folder / "accounts" / f"{name}.json", {})
    sync = folder / "accounts" / f"{name}.sync.json"
    live = live or {}
    running = live.get("running") is True
    return {
        "appId": name,
        "userId": saved.get("userId"),
        "state": ("connected" if running else "stopped") if connected else "unknown",
        "running": running,
        "lastError": live.get("lastError"),
        "savedAt": saved.get("savedAt"),
        "lastSyncAt": int(sync.stat().st_mtime * 1000) if sync.exists() else None,
    }


def _read(file: Path, otherwise: Any) -> Any:
    """Return a JSON file of the plugin; what cannot be read is as good as not there."""
    try:
        value = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return otherwise
    return value if isinstance(value, type(otherwise)) else otherwise
