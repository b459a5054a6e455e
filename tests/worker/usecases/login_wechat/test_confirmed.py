"""A login that WeChat has confirmed: which account it bound, and how its command ends."""

import os
import time

import psutil
import pytest

from buddy_common.schemas.wechat import PLUGIN, LoginState
from buddy_worker.usecases import login_wechat, wechat_channel
from worker.plugin_jobs import done, failed
from worker.usecases.login_wechat.scene import Scene
from worker.wechat_scene import ACCOUNT, ALREADY_BOUND, CONFIRMED, SCANNED, STARTING, address, bind, code

pytestmark = pytest.mark.timeout(30)

OTHER = "c1a6971aaaaa-im-bot"


async def test_scanned_code_binds_the_account_and_its_channel_runs(scene: Scene) -> None:
    await scene.begin(
        {"says": STARTING + code()}, scene.waits() | {"says": SCANNED}, {"binds": ACCOUNT, "says": CONFIRMED}
    )
    shown = await scene.until(LoginState.WAITING_SCAN)
    scene.gate.touch()

    task = await scene.end()

    assert done(task) == {"state": "confirmed", "account": ACCOUNT, "channel": "running"}
    last = await scene.logins.last("local")
    assert last is not None
    assert (last.state, last.done, last.account, last.qrcode_url) == ("confirmed", True, ACCOUNT, None)
    assert (shown.qrcode_url, shown.done) == (address(), False)
    assert (shown.qrcode_png or "").startswith("data:image/png;base64,")
    assert shown.expires_at is not None
    assert 0 < shown.expires_at - time.time() <= 300


async def test_account_that_was_bound_before_is_said_to_be(scene: Scene) -> None:
    bind(scene.fake, ACCOUNT)
    scene.gateway.runs(ACCOUNT, at=1.0)

    task = await scene.run({"says": code() + ALREADY_BOUND})

    assert done(task) == {"state": "already_bound", "account": None, "channel": "running"}


async def test_account_that_was_bound_before_and_stands_still_is_started_although_another_runs(
    scene: Scene,
) -> None:
    bind(scene.fake, OTHER, ACCOUNT)
    runs = {"accountId": OTHER, "running": True, "lastStartAt": 1}
    scene.gateway.rows = [runs, {"accountId": ACCOUNT, "running": False}]
    scene.gateway.does = lambda _: setattr(scene.gateway, "rows", [runs, {**runs, "accountId": ACCOUNT}])

    task = await scene.run({"says": code() + ALREADY_BOUND})

    assert done(task) == {"state": "already_bound", "account": None, "channel": "running"}
    assert scene.gateway.asked == [("channels.start", {"channel": PLUGIN})]


async def test_accounts_that_do_not_run_fail_a_login_to_one_that_was_bound_before_and_are_named(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wechat_channel, "CHANNEL_SECONDS", 0.3)
    bind(scene.fake, OTHER, ACCOUNT)
    scene.gateway.rows = [
        {"accountId": OTHER, "running": True, "lastError": "of long ago"},
        {"accountId": ACCOUNT, "running": False, "lastError": "missing token"},
    ]

    why = failed(await scene.run({"says": code() + ALREADY_BOUND}), "wechat_channel_failed")

    assert f"{ACCOUNT}. It says: missing token" in why
    assert OTHER not in why


async def test_account_that_only_wechat_knows_of_is_not_said_to_run(scene: Scene) -> None:
    why = failed(await scene.run({"says": code() + ALREADY_BOUND}), "wechat_channel_failed")

    assert "OpenClaw has saved none" in why


async def test_confirmed_login_that_saved_nothing_is_a_failure(scene: Scene) -> None:
    assert "saved no account" in failed(await scene.run({"says": code() + CONFIRMED}), "wechat_login_failed")


async def test_account_that_only_received_something_meanwhile_is_not_taken_for_the_new_one(
    scene: Scene,
) -> None:
    bind(scene.fake, OTHER)
    await scene.begin({"says": code()}, scene.waits() | {"says": CONFIRMED})
    await scene.until(LoginState.WAITING_SCAN)
    synced = scene.fake.config_dir / PLUGIN / "accounts" / f"{OTHER}.sync.json"
    os.utime(synced, (time.time() + 60,) * 2)
    scene.gate.touch()

    assert "saved no account" in failed(await scene.end(), "wechat_login_failed")


async def test_command_that_fails_after_the_login_is_no_failed_login(scene: Scene) -> None:
    task = await scene.run({"says": code(), "binds": ACCOUNT}, {"says": CONFIRMED, "fails": "no gateway"})

    assert done(task) == {"state": "confirmed", "account": ACCOUNT, "channel": "running"}


async def test_command_that_might_still_be_told_something_after_the_login_reads_the_end(scene: Scene) -> None:
    task = await scene.run({"says": code(), "binds": ACCOUNT}, {"says": CONFIRMED, "asks": True})

    assert done(task)["channel"] == "running"
    assert "login ends" in [what for what, *_ in scene.fake.process_log]


async def test_command_that_does_not_end_after_the_login_is_ended(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_wechat, "SETTLE_SECONDS", 0.2)

    task = await scene.run({"says": code(), "binds": ACCOUNT}, {"says": CONFIRMED}, scene.waits())

    assert done(task)["account"] == ACCOUNT
    (pid,) = [pid for what, pid, _ in scene.fake.process_log if what == "login begins"]
    assert not psutil.pid_exists(pid)
