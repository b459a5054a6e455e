"""The WeChat channel: its plugin and its accounts."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters import wechat_sessions
from buddy_common.schemas.resources import Resource
from buddy_common.schemas.wechat import PLUGIN
from buddy_worker.reads.wechat import read_wechat, wechat_of
from worker.reads.recorded import GENERATIONS, NEW, RecordedGateway, files_of

ENABLED = {"plugins": {"entries": {PLUGIN: {"enabled": True}}}}
FIRST, SECOND = "b0f5860fdecb-im-bot", "c1a6971aaaaa-im-bot"
PLUGIN_ROW = {"id": PLUGIN, "version": "2.4.9", "origin": "global"}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder with two accounts, as the plugin keeps them; no log of this machine says more."""
    monkeypatch.setattr(wechat_sessions, "openclaw_log_folders", lambda: (tmp_path / "logs",))
    folder = tmp_path / PLUGIN
    (folder / "accounts").mkdir(parents=True)
    (folder / "accounts.json").write_text(json.dumps([FIRST, SECOND, 3, FIRST]))
    saved = {"token": "a secret", "userId": "wxid_1", "savedAt": "2026-03-28T02:00:00.000Z"}
    (folder / "accounts" / f"{FIRST}.json").write_text(json.dumps(saved))
    sync = folder / "accounts" / f"{FIRST}.sync.json"
    sync.write_text("{}")
    os.utime(sync, (1_774_663_200, 1_774_663_200))
    return tmp_path


def status_of(*accounts: dict[str, Any]) -> dict[str, Any]:
    return {"channelAccounts": {PLUGIN: [*accounts, "broken"], "telegram": [{"accountId": "other"}]}}


def states(view: dict[str, Any]) -> list[tuple[str, str, bool]]:
    return [(account["appId"], account["state"], account["running"]) for account in view["accounts"]]


async def test_accounts_do_as_the_gateway_says(state: Path) -> None:
    live = status_of(
        {"accountId": FIRST, "running": True, "lastError": None, "lastInboundAt": 1_774_663_100_000},
        {"accountId": SECOND, "running": False, "lastError": "logged out"},
    )
    gateway = RecordedGateway(NEW, {"channels.status": live})

    view = await read_wechat(gateway, files_of(state, ENABLED, {Resource.PLUGINS: [PLUGIN_ROW]}))

    assert view == {
        "installed": True,
        "enabled": True,
        "configured": True,
        "pluginVersion": "2.4.9",
        "accounts": [
            {
                "appId": FIRST, "userId": "wxid_1", "state": "connected", "running": True, "lastError": None,
                "savedAt": "2026-03-28T02:00:00.000Z", "lastSyncAt": "2026-03-28T02:00:00+00:00",
                "lastInboundAt": "2026-03-28T01:58:20+00:00",
            },
            {
                "appId": SECOND, "userId": None, "state": "stopped", "running": False,
                "lastError": "logged out", "savedAt": None, "lastSyncAt": None, "lastInboundAt": None,
            },
        ],
    }  # fmt: skip
    assert gateway.calls == [("channels.status", {})]


def test_accounts_are_known_without_the_gateway_but_not_how_they_do(state: Path) -> None:
    view = wechat_of(files_of(state, ENABLED))

    assert states(view) == [(FIRST, "unknown", False), (SECOND, "unknown", False)]
    assert (view["installed"], view["configured"], view["pluginVersion"]) == (True, True, None)
    assert "a secret" not in json.dumps(view)


@pytest.mark.parametrize("version", GENERATIONS)
async def test_gateway_that_says_nothing_of_an_account_does_not_run_it(version: str, state: Path) -> None:
    view = await read_wechat(RecordedGateway(version), files_of(state, ENABLED))

    assert states(view) == [(FIRST, "stopped", False), (SECOND, "stopped", False)]


async def test_account_that_only_the_gateway_knows_is_told(tmp_path: Path) -> None:
    gateway = RecordedGateway(NEW, {"channels.status": status_of({"accountId": "default", "running": True})})

    view = await read_wechat(gateway, files_of(tmp_path, ENABLED))

    assert states(view) == [("default", "connected", True)]


@pytest.mark.parametrize("version", GENERATIONS)
async def test_nothing_is_installed_where_nothing_tells_of_it(version: str, tmp_path: Path) -> None:
    view = await read_wechat(RecordedGateway(version), files_of(tmp_path, {}))

    assert view == {
        "installed": False,
        "enabled": False,
        "configured": False,
        "pluginVersion": None,
        "accounts": [],
    }


@pytest.mark.parametrize(
    ("row", "installed", "version"),
    [
        ({"id": PLUGIN, "version": "2.4.9"}, True, "2.4.9"),
        ({"id": PLUGIN, "installed": True, "version": "2.4.9", "state": "disabled"}, True, "2.4.9"),
        # of the newer generation, the catalogue of what could be installed
        ({"id": PLUGIN, "installed": False, "version": "2.4.8", "state": "not-installed"}, False, None),
        ({"id": "other"}, False, None),
    ],
)
def test_plugin_is_installed_when_openclaw_lists_it_as_that(
    tmp_path: Path, row: dict[str, Any], *, installed: bool, version: str | None
) -> None:
    view = wechat_of(files_of(tmp_path, {}, {Resource.PLUGINS: [row]}))

    assert (view["installed"], view["pluginVersion"]) == (installed, version)


@pytest.mark.parametrize(
    ("entry", "installed", "enabled"),
    [({"enabled": True}, True, True), ({"enabled": False}, True, False), ({}, False, False)],
)
def test_plugin_is_on_where_the_config_says_so(
    tmp_path: Path, entry: dict[str, Any], *, installed: bool, enabled: bool
) -> None:
    view = wechat_of(files_of(tmp_path, {"plugins": {"entries": {PLUGIN: entry}}}))

    assert (view["installed"], view["enabled"], view["configured"]) == (installed, enabled, False)


@pytest.mark.parametrize("content", ["", "{", "{}", '"text"', "null"])
def test_accounts_that_cannot_be_read_are_as_good_as_none(state: Path, content: str) -> None:
    (state / PLUGIN / "accounts.json").write_text(content)

    view = wechat_of(files_of(state, ENABLED))

    assert (view["installed"], view["configured"], view["accounts"]) == (True, False, [])


def test_account_that_cannot_be_read_is_told_by_its_name(state: Path) -> None:
    (state / PLUGIN / "accounts" / f"{FIRST}.json").write_text("[]")

    account = wechat_of(files_of(state, ENABLED))["accounts"][0]

    assert (account["appId"], account["userId"], account["savedAt"]) == (FIRST, None, None)
