"""The WeChat channel: its plugin, and the accounts that are bound."""

import asyncio
from typing import Any

from buddy_common.adapters.openclaw_config import section
from buddy_common.adapters.wechat_accounts import BoundAccount, WechatAccounts
from buddy_common.adapters.wechat_sessions import said_expired, state_of
from buddy_common.schemas.resources import Resource
from buddy_common.schemas.wechat import PLUGIN, AccountState
from buddy_common.times import utc_text
from buddy_worker.reads.sources import Files, GatewayCalls

Row = dict[str, Any]


async def read_wechat(gateway: GatewayCalls, files: Files) -> dict[str, Any]:
    """Ask the gateway how each account does; who is bound stands in the plugin's own files."""
    answer = await gateway.call("channels.status")
    live = (answer.get("channelAccounts") or {}).get(PLUGIN)
    return await asyncio.to_thread(_status, files, [row for row in live or [] if isinstance(row, dict)])


def wechat_of(files: Files) -> dict[str, Any]:
    """Return what the plugin's files tell."""
    return _status(files, None)


def _status(files: Files, live: list[Row] | None) -> dict[str, Any]:
    entry = section(files.config, "plugins", "entries", PLUGIN)
    rows = files.last.get(Resource.PLUGINS)
    listed = [row for row in rows or [] if row.get("id") == PLUGIN]
    # the newer generation also lists what could be installed
    plugin = next((row for row in listed if row.get("installed") is not False), None)
    there = bool(entry) or (files.state_dir / PLUGIN).is_dir()  # a guess, where nobody has listed them yet
    accounts = _accounts(files, live)
    return {
        "installed": plugin is not None or (rows is None and there),
        "enabled": entry.get("enabled") is True,
        "configured": bool(accounts) and entry.get("enabled") is True,
        "pluginVersion": plugin.get("version") if plugin else None,
        "accounts": accounts,
    }


def _accounts(files: Files, live: list[Row] | None) -> list[Row]:
    by_id = {str(row.get("accountId")): row for row in live or []}
    kept = WechatAccounts(files.state_dir)
    bound = [kept.find(account) for account in dict.fromkeys([*kept.ids(), *by_id])]
    said = said_expired([account.id for account in bound]) if bound else {}
    return [
        _account(
            account,
            by_id.get(account.id),
            state_of(account, by_id.get(account.id), all_accounts=bound, said=said, asked=live is not None),
        )
        for account in bound
    ]


def _account(account: BoundAccount, live: Row | None, state: AccountState) -> Row:
    live = live or {}
    inbound = live.get("lastInboundAt")
    return {
        "appId": account.id,
        "userId": account.user_id,
        "state": str(state),
        "running": live.get("running") is True,
        "lastError": live.get("lastError"),
        "savedAt": account.saved_at,
        "lastSyncAt": None if account.synced_at is None else utc_text(account.synced_at * 1000),
        "lastInboundAt": utc_text(inbound) if isinstance(inbound, int | float) else None,
    }
