"""The gateway's channel after a login: whether it runs the account."""

import asyncio
import json
import time
from typing import Any

import pytest

from buddy_common.schemas.wechat import PLUGIN, LoginState
from buddy_worker.usecases import wechat_channel
from eventually import eventually
from worker.plugin_jobs import done, failed
from worker.usecases.login_wechat.scene import Scene
from worker.wechat_scene import ACCOUNT, CONFIRMED, bind, code

pytestmark = pytest.mark.timeout(30)


async def test_gateway_that_does_not_start_the_account_by_itself_is_told_to(scene: Scene) -> None:
    scene.gateway.runs(ACCOUNT, at=1.0)  # it still has the token of before
    scene.gateway.does = lambda method: (
        scene.gateway.runs(ACCOUNT, at=time.time()) if method == "channels.start" else None
    )

    task = await scene.run({"says": code(), "binds": ACCOUNT}, {"says": CONFIRMED})

    assert done(task)["channel"] == "running"
    named = {"channel": PLUGIN, "accountId": ACCOUNT}
    assert scene.gateway.asked == [("channels.stop", named), ("channels.start", named)]


async def test_account_that_the_gateway_started_while_the_code_was_shown_is_started_anew(
    scene: Scene,
) -> None:
    bind(scene.fake, ACCOUNT)
    scene.gateway.does = lambda method: (
        scene.gateway.runs(ACCOUNT, at=time.time()) if method == "channels.start" else None
    )
    await scene.begin({"says": code()}, scene.waits() | {"binds": ACCOUNT}, {"says": CONFIRMED})
    await scene.until(LoginState.WAITING_SCAN)
    scene.gateway.runs(ACCOUNT, at=time.time() - 0.01)  # the token is saved only after this
    scene.gate.touch()

    assert done(await scene.end())["channel"] == "running"
    assert [method for method, _ in scene.gateway.asked] == ["channels.stop", "channels.start"]


async def test_older_gateway_loads_its_accounts_anew_after_a_touch_of_the_config(scene: Scene) -> None:
    scene.gateway.methods = {"channels.status"}
    scene.gateway.rows = []
    await scene.begin({"says": code(), "binds": ACCOUNT}, {"says": CONFIRMED})

    def config() -> Any:
        return json.loads(scene.fake.config_file.read_bytes()).get("channels", {}).get(PLUGIN)

    await eventually(lambda: asyncio.to_thread(config), bool, seconds=10)
    scene.gateway.runs(ACCOUNT, at=time.time())

    assert done(await scene.end())["channel"] == "running"
    assert set(config()) == {"channelConfigUpdatedAt"}


async def test_without_a_gateway_the_account_is_bound_and_waits_for_it(scene: Scene) -> None:
    scene.gateway.rows = None

    task = await scene.run({"says": code(), "binds": ACCOUNT}, {"says": CONFIRMED})

    assert done(task) == {"state": "confirmed", "account": ACCOUNT, "channel": "gateway_down"}
    last = await scene.logins.last("local")
    assert last is not None
    assert "together with the gateway" in last.message


async def test_channel_that_does_not_run_fails_the_login_but_keeps_the_account(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wechat_channel, "CHANNEL_SECONDS", 0.3)
    scene.gateway.rows = [{"accountId": ACCOUNT, "running": False, "lastError": "missing token"}]

    task = await scene.run({"says": code(), "binds": ACCOUNT}, {"says": CONFIRMED})

    assert "missing token" in failed(task, "wechat_channel_failed")
    last = await scene.logins.last("local")
    assert last is not None
    assert (last.state, last.done, last.error) == ("confirmed", True, "wechat_channel_failed")
