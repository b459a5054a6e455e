"""A WeChat account is unbound: its files are gone, and the gateway has let go of it."""

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters import wechat_messages
from buddy_common.schemas.tasks import TaskView
from buddy_common.schemas.wechat import PLUGIN
from buddy_common.schemas.wechat_jobs import UnbindWechatJob
from buddy_worker.edits.wechat import touch_channel
from buddy_worker.usecases import wechat_channel
from buddy_worker.usecases.unbind_wechat import unbind_wechat
from buddy_worker.wiring import Wiring
from fakes.openclaw_program import FakeOpenClaw
from worker.plugin_jobs import done, failed, run
from worker.wechat_scene import ACCOUNT, ChannelGateway, bind, bound

OTHER = "c1a6971aaaaa-im-bot"


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch, fake_openclaw: FakeOpenClaw) -> ChannelGateway:
    bind(fake_openclaw, ACCOUNT, OTHER)
    gateway = ChannelGateway(rows=[_row(ACCOUNT), _row(OTHER)], lists=lambda: bound(fake_openclaw))
    monkeypatch.setattr(wechat_channel, "call_gateway", gateway.connect)
    monkeypatch.setattr(wechat_channel, "POLL_SECONDS", 0.02)
    return gateway


async def unbind(w: Wiring, account: str = ACCOUNT) -> TaskView:
    return await run(
        w, UnbindWechatJob(account=account), lambda running: unbind_wechat(running, account=account)
    )


def _row(account: str, *, running: bool = True) -> dict[str, Any]:
    return {"accountId": account, "running": running, "lastStartAt": 1}


def files(fake: FakeOpenClaw) -> set[str]:
    return {file.name for file in (fake.config_dir / PLUGIN / "accounts").iterdir()}


async def test_an_account_is_stopped_and_its_token_is_gone(
    w: Wiring, fake_openclaw: FakeOpenClaw, gateway: ChannelGateway
) -> None:
    gateway.does = lambda _: setattr(gateway, "rows", [_row(OTHER)])
    allowed = fake_openclaw.config_dir / "credentials" / f"{PLUGIN}-{ACCOUNT}-allowFrom.json"
    allowed.parent.mkdir()
    allowed.write_text("[]")

    assert done(await unbind(w)) == {"account": ACCOUNT, "left": [OTHER]}

    assert gateway.asked == [("channels.stop", {"channel": PLUGIN, "accountId": ACCOUNT})]
    assert bound(fake_openclaw) == [OTHER]
    assert files(fake_openclaw) == {f"{OTHER}.json", f"{OTHER}.sync.json"}
    assert not allowed.exists()


def quotes(fake: FakeOpenClaw) -> sqlite3.Connection:
    """The plugin's own store of messages."""
    return sqlite3.connect(fake.config_dir / PLUGIN / "ref-messages.sqlite", isolation_level=None)


def media(fake: FakeOpenClaw, account: str) -> list[Path]:
    """Where the plugin keeps pictures of an account, and where earlier ones did, as it names the folders."""
    name = f"{account}-{hashlib.sha256(account.encode()).hexdigest()[:16]}"
    parents = ("media/inbound/openclaw-weixin-quotes", f"{PLUGIN}/ref-media")
    return [fake.config_dir / parent / name for parent in parents]


async def test_what_was_written_to_an_account_is_gone_with_it(
    w: Wiring, fake_openclaw: FakeOpenClaw, gateway: ChannelGateway
) -> None:
    gateway.rows = None
    with closing(quotes(fake_openclaw)) as store:
        store.execute("PRAGMA journal_mode = WAL")
        store.execute("CREATE TABLE quote_messages (account_id TEXT, body TEXT)")
        store.executemany("INSERT INTO quote_messages VALUES (?, ?)", [(ACCOUNT, "private"), (OTHER, "kept")])
        for folder in (*media(fake_openclaw, ACCOUNT), *media(fake_openclaw, OTHER)):
            folder.mkdir(parents=True)
            (folder / "picture.jpg").write_bytes(b"x")

        done(await unbind(w))  # while the plugin has it open

        assert store.execute("SELECT account_id, body FROM quote_messages").fetchall() == [(OTHER, "kept")]
    assert not [folder for folder in media(fake_openclaw, ACCOUNT) if folder.exists()]
    assert all((folder / "picture.jpg").exists() for folder in media(fake_openclaw, OTHER))


async def test_a_store_without_messages_is_left_as_it_is(
    w: Wiring, fake_openclaw: FakeOpenClaw, gateway: ChannelGateway
) -> None:
    gateway.rows = None
    with closing(quotes(fake_openclaw)) as store:
        store.execute("CREATE TABLE another (x)")

    assert done(await unbind(w))["left"] == [OTHER]


async def test_a_store_that_somebody_writes_to_all_the_time_is_a_failure_that_says_so(
    w: Wiring, fake_openclaw: FakeOpenClaw, gateway: ChannelGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wechat_messages, "BUSY_SECONDS", 0.05)
    gateway.rows = None
    with closing(quotes(fake_openclaw)) as store:
        store.execute("CREATE TABLE quote_messages (account_id TEXT, body TEXT)")
        store.execute("BEGIN EXCLUSIVE")

        assert "locked" in failed(await unbind(w), "state_unwritable")


async def test_an_account_that_is_not_bound_cannot_be_unbound(
    w: Wiring, fake_openclaw: FakeOpenClaw, gateway: ChannelGateway
) -> None:
    assert "no-such" in failed(await unbind(w, "no-such"), "unknown_wechat_account")

    assert bound(fake_openclaw) == [ACCOUNT, OTHER]
    assert gateway.asked == []


async def test_without_a_gateway_the_files_are_all_there_is_to_do(
    w: Wiring, fake_openclaw: FakeOpenClaw, gateway: ChannelGateway
) -> None:
    gateway.rows = None

    assert done(await unbind(w))["left"] == [OTHER]
    assert bound(fake_openclaw) == [OTHER]


async def test_an_older_gateway_loads_its_accounts_anew_and_ends_its_last_poll_before_all_is_removed(
    w: Wiring, fake_openclaw: FakeOpenClaw, gateway: ChannelGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.methods = {"channels.status"}
    folder = fake_openclaw.config_dir / PLUGIN / "accounts"
    tokens: list[bool] = []

    def polls() -> list[str]:
        tokens.append("token" in json.loads((folder / f"{ACCOUNT}.json").read_bytes()))
        (folder / f"{ACCOUNT}.sync.json").write_text("its last poll")
        return bound(fake_openclaw)

    def touched(config: Any) -> None:
        touch_channel(config)
        gateway.rows = [_row(ACCOUNT, running=False), _row(OTHER)]

    gateway.lists = polls
    monkeypatch.setattr(wechat_channel, "touch_channel", touched)

    done(await unbind(w))

    channel = json.loads(fake_openclaw.config_file.read_bytes())["channels"][PLUGIN]
    assert set(channel) == {"channelConfigUpdatedAt"}
    assert tokens == [False, False]
    assert files(fake_openclaw) == {f"{OTHER}.json", f"{OTHER}.sync.json"}


async def test_an_account_is_unbound_though_the_gateway_does_not_let_go_and_that_is_told(
    w: Wiring, fake_openclaw: FakeOpenClaw, gateway: ChannelGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wechat_channel, "CHANNEL_SECONDS", 0.2)
    gateway.refuses = "busy"

    assert "but the gateway still runs it" in failed(await unbind(w), "wechat_channel_failed")
    assert bound(fake_openclaw) == [OTHER]


async def test_an_unbinding_that_breaks_off_before_the_gateway_was_told_can_be_repeated(
    w: Wiring, fake_openclaw: FakeOpenClaw, gateway: ChannelGateway
) -> None:
    gateway.methods = {"channels.status"}
    whole = fake_openclaw.config_file.read_bytes()
    fake_openclaw.config_file.write_text("{")

    failed(await unbind(w), "config_unreadable")
    assert bound(fake_openclaw) == [ACCOUNT, OTHER]

    fake_openclaw.config_file.write_bytes(whole)
    gateway.rows = [_row(ACCOUNT, running=False), _row(OTHER)]
    assert done(await unbind(w))["left"] == [OTHER]


async def test_an_account_is_unbound_though_the_gateway_cannot_be_asked_and_that_is_told(
    w: Wiring, fake_openclaw: FakeOpenClaw, gateway: ChannelGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def there(*_: object) -> bool:
        return True

    monkeypatch.setattr(wechat_channel, "CHANNEL_SECONDS", 0.2)
    monkeypatch.setattr(wechat_channel, "_there_is_a_gateway", there)
    gateway.rows = None

    assert "does not tell whether" in failed(await unbind(w), "wechat_channel_failed")
    assert bound(fake_openclaw) == [OTHER]
    channel = json.loads(fake_openclaw.config_file.read_bytes())["channels"][PLUGIN]
    assert set(channel) == {"channelConfigUpdatedAt"}  # which reloads it, if it follows its file
