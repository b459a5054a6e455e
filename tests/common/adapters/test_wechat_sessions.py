"""Which WeChat sessions are over, by the plugin's own log; its lines are those of both plugins."""

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters import wechat_sessions
from buddy_common.adapters.wechat_accounts import BoundAccount, WechatAccounts
from buddy_common.adapters.wechat_sessions import ExpiredSession, expired_sessions, state_of
from buddy_common.schemas.wechat import PLUGIN, AccountState

ACCOUNT, OTHER = "b0f5860fdecb-im-bot", "c1a6971aaaaa-im-bot"
NEWER = "getUpdates: token for {account} is stale, pausing all requests for 60 min"
OLDER = "getUpdates: session expired (errcode=-14 ret=undefined), pausing all requests for 60 min"
BOUND = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
LATER = BOUND + timedelta(hours=3)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with two accounts, bound at the same time."""
    folder = tmp_path / "state" / PLUGIN / "accounts"
    folder.mkdir(parents=True)
    (folder.parent / "accounts.json").write_text(json.dumps([ACCOUNT, OTHER]))
    for account in (ACCOUNT, OTHER):
        saved = {"token": "secret", "savedAt": "2026-11-22T13:00:00.000Z", "userId": f"{account}@user"}
        (folder / f"{account}.json").write_text(json.dumps(saved))
    return tmp_path / "state"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


def line(text: str, at: datetime, account: str = ACCOUNT) -> str:
    name = f"gateway/channels/openclaw-weixin/{account}"
    return json.dumps({
        "0": name,
        "1": f"[{account}] {text.format(account=account)}",
        "_meta": {"runtime": "node", "name": name, "logLevelName": "ERROR"},
        "time": at.astimezone().isoformat(timespec="milliseconds"),
    })  # fmt: skip


def write(logs: Path, *lines: str, day: str = "2026-11-22") -> None:
    with (logs / f"openclaw-{day}.log").open("a") as file:
        file.write("".join(f"{each}\n" for each in lines))


async def expired(state: Path, logs: Path) -> list[str]:
    return [session.account for session in await expired_sessions(state, log_folders=[logs])]


@pytest.mark.parametrize("words", [NEWER, OLDER])
async def test_a_session_that_wechat_has_ended_is_found_once(state: Path, logs: Path, words: str) -> None:
    write(logs, '{"0":"other"}', "no json", line(words, LATER), line(words, LATER + timedelta(hours=1)))

    (session,) = await expired_sessions(state, log_folders=[logs])

    assert session == ExpiredSession(
        ACCOUNT, f"{ACCOUNT}@user", BOUND.timestamp(), (LATER + timedelta(hours=1)).timestamp()
    )


async def test_a_session_stays_over_however_much_is_logged_within_the_hour(
    state: Path, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wechat_sessions, "PIECE_BYTES", 1000)
    others = [line("other", LATER + timedelta(seconds=each), "gateway") for each in range(3000)]
    write(logs, line(OLDER, LATER), *others)

    assert await expired(state, logs) == [ACCOUNT]


async def test_a_log_is_read_no_further_back_than_it_tells_of_every_session(
    state: Path, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wechat_sessions, "PIECE_BYTES", 1000)
    others = [line("other", LATER + timedelta(minutes=each), "gateway") for each in range(3000)]
    write(logs, line(OLDER, LATER), *others)

    assert await expired(state, logs) == []


async def test_the_same_session_stays_the_same_at_each_look(state: Path, logs: Path) -> None:
    write(logs, line(NEWER, LATER))
    (first,) = await expired_sessions(state, log_folders=[logs])
    write(logs, line(NEWER, LATER + timedelta(hours=1)))
    (second,) = await expired_sessions(state, log_folders=[logs])

    assert (first.account, first.bound_at) == (second.account, second.bound_at)


async def test_a_login_since_then_is_a_new_session(state: Path, logs: Path) -> None:
    write(logs, line(NEWER, BOUND - timedelta(minutes=1)))

    assert await expired(state, logs) == []


async def test_what_came_in_since_then_shows_that_it_lives(state: Path, logs: Path) -> None:
    write(logs, line(NEWER, LATER))
    sync = state / PLUGIN / "accounts" / f"{ACCOUNT}.sync.json"
    sync.write_text("{}")
    os.utime(sync, (LATER.timestamp() + 60,) * 2)

    assert await expired(state, logs) == []


async def test_other_errors_and_other_accounts_are_no_expired_session(state: Path, logs: Path) -> None:
    write(
        logs,
        line("getUpdates failed: ret=-1 errcode=-2 errmsg=busy", LATER),
        line(NEWER, LATER, account="of-another-gateway"),
        line("Monitor started: baseUrl=https://x", LATER),
    )

    assert await expired(state, logs) == []


async def test_the_day_before_counts_as_well(state: Path, logs: Path) -> None:
    write(logs, line(NEWER, LATER), day="2026-11-22")
    write(logs, line("Monitor started", LATER), day="2026-11-23")

    assert await expired(state, logs) == [ACCOUNT]


async def test_a_folder_that_is_another_accounts_or_a_link_is_not_read(
    state: Path, logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(logs, line(NEWER, LATER))
    (tmp_path / "link").symlink_to(logs)
    assert await expired(state, tmp_path / "link") == []

    monkeypatch.setattr(os, "getuid", lambda: logs.stat().st_uid + 1)
    assert await expired(state, logs) == []


async def test_a_pipe_that_is_named_like_a_log_holds_nobody_up(state: Path, logs: Path) -> None:
    write(logs, line(NEWER, LATER))
    os.mkfifo(logs / "openclaw-2026-11-23.log")

    async with asyncio.timeout(5):
        assert await expired(state, logs) == [ACCOUNT]


async def test_without_accounts_or_logs_there_is_none(tmp_path: Path, state: Path) -> None:
    assert await expired(state, tmp_path / "none") == []
    assert await expired(tmp_path / "none", tmp_path / "none") == []


def account(name: str = ACCOUNT, *, user: str | None = "u", at: str = "2026-11-22T13:00:00Z") -> BoundAccount:
    return BoundAccount(name, user, at, None)


def state_now(live: dict[str, Any] | None, *others: BoundAccount, asked: bool = True, at: float = 0.0) -> str:
    mine = account()
    return state_of(
        mine,
        live,
        all_accounts=[mine, *others],
        said={ACCOUNT: at},
        asked=asked,
    )


@pytest.mark.parametrize(
    ("live", "state"),
    [
        ({"running": True}, AccountState.CONNECTED),
        ({"running": False}, AccountState.STOPPED),
        (None, AccountState.STOPPED),
        ({"running": True, "lastError": "weixin getUpdates failed: errcode=-14"}, "session_expired"),
        (
            {"running": False, "lastError": "session paused for accountId=x, 59 min remaining"},
            "session_expired",
        ),
        ({"running": True, "lastError": "errcode=-142"}, AccountState.CONNECTED),
    ],
)
def test_state_is_what_the_gateway_says(live: dict[str, Any] | None, state: str) -> None:
    assert state_now(live) == state


def test_running_account_whose_session_is_over_is_expired() -> None:
    assert state_now({"running": True}, at=LATER.timestamp()) is AccountState.SESSION_EXPIRED


def test_state_is_unknown_while_nobody_can_be_asked() -> None:
    assert state_now(None, asked=False) is AccountState.UNKNOWN
    assert state_now(None, asked=False, at=LATER.timestamp()) is AccountState.SESSION_EXPIRED


def test_user_who_has_been_bound_to_another_account_since_is_bound_elsewhere() -> None:
    newer, older = account(OTHER, at="2026-11-23T13:00:00Z"), account(OTHER, at="2026-11-21T13:00:00Z")
    stranger = account(OTHER, user=None, at="2026-11-23T13:00:00Z")

    assert state_now({"running": True}, newer) is AccountState.BOUND_ELSEWHERE
    assert state_now({"running": True}, older, stranger) is AccountState.CONNECTED


def test_accounts_under_the_name_of_earlier_plugins_are_found_and_removed(state: Path) -> None:
    folder = state / PLUGIN / "accounts"
    (folder / f"{ACCOUNT}.json").rename(folder / "b0f5860fdecb@im.bot.json")
    accounts = WechatAccounts(state)
    assert accounts.find(ACCOUNT).user_id == f"{ACCOUNT}@user"

    accounts.remove(ACCOUNT)

    assert accounts.ids() == [OTHER]
    assert [file.name for file in folder.iterdir()] == [f"{OTHER}.json"]


@pytest.mark.parametrize("name", ["../x", "..", "a/b", "", " ", "a\0b"])
def test_name_that_could_be_another_file_is_no_account(state: Path, name: str) -> None:
    (state / PLUGIN / "accounts.json").write_text(json.dumps([name, ACCOUNT]))

    assert WechatAccounts(state).ids() == [ACCOUNT]
