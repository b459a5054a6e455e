"""A login to WeChat: shown to whoever listens, ended when nobody does, and never told by its row."""

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from buddy_common.adapters.wechat_logins import WechatLogins
from buddy_common.db import tasks
from buddy_common.schemas.tasks import TaskStatus, TaskView
from buddy_common.schemas.wechat import PLUGIN, LoginState, LoginView
from buddy_common.schemas.wechat_jobs import LoginWechatJob
from buddy_worker import runner
from buddy_worker.runner import execute
from buddy_worker.usecases import login_wechat, wechat_channel
from buddy_worker.usecases.login_wechat import login_wechat as log_in
from buddy_worker.wiring import Wiring
from eventually import eventually
from fakes.openclaw_program import FakeOpenClaw
from worker.plugin_jobs import done, failed, there
from worker.queued import queue, view
from worker.wechat_scene import (
    ACCOUNT,
    CONFIRMED,
    EXPIRED,
    PROMPT,
    SCANNED,
    STARTING,
    ChannelGateway,
    address,
    bind,
    code,
)

pytestmark = pytest.mark.timeout(30)
GATE = "gate"
OTHER = "c1a6971aaaaa-im-bot"


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> ChannelGateway:
    """The gateway runs the account as soon as it is asked, without being told to."""
    gateway = ChannelGateway()
    gateway.runs(ACCOUNT, at=time.time() + 60)
    monkeypatch.setattr(wechat_channel, "call_gateway", gateway.connect)
    monkeypatch.setattr(wechat_channel, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(wechat_channel, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(wechat_channel, "DOWN_SECONDS", 0.1)
    monkeypatch.setattr(login_wechat, "LOOK_SECONDS", 0.02)
    return gateway


@pytest.fixture
async def scene(w: Wiring, fake_openclaw: FakeOpenClaw, gateway: ChannelGateway) -> "Scene":
    scene = Scene(w, fake_openclaw, gateway)
    there(fake_openclaw, PLUGIN)
    await scene.logins.listen("local", seconds=60)
    return scene


class Scene:
    """One node, its program and a login."""

    def __init__(self, w: Wiring, fake: FakeOpenClaw, gateway: ChannelGateway) -> None:
        self.w, self.fake, self.gateway = w, fake, gateway
        self.logins = WechatLogins(w.redis)
        self.task_id = ""
        self.running: asyncio.Task[Any] | None = None

    @property
    def gate(self) -> Path:
        return self.fake.config_dir / GATE

    async def begin(self, *steps: dict[str, Any], announced: str | None = None) -> None:
        """Start the login; the program does these steps. `announced` is another one that people know of."""
        self.fake.configure(login=list(steps))
        self.task_id = await queue(self.w, LoginWechatJob())
        await self.logins.started("local", announced or self.task_id)
        self.running = asyncio.create_task(execute(self.w, self.task_id, LoginWechatJob, log_in))

    async def end(self) -> TaskView:
        assert self.running is not None
        async with asyncio.timeout(15):
            await self.running
        return await view(self.w, self.task_id)

    async def run(self, *steps: dict[str, Any]) -> TaskView:
        await self.begin(*steps)
        return await self.end()

    async def views(self) -> list[LoginView]:
        return (await self.logins.views("local", self.task_id))[0]

    async def until(self, state: LoginState, *, number: int = 0) -> LoginView:
        async def look() -> LoginView | None:
            return await self.logins.last("local")

        found = await eventually(
            look, lambda seen: seen is not None and seen.state is state and seen.number >= number, seconds=10
        )
        assert found is not None
        return found

    async def output(self) -> list[str]:
        rows = await self.w.database.run(
            lambda session: tasks.output_after(session, self.task_id, -1, limit=100)
        )
        return [row.line for row in rows]

    def waits(self) -> dict[str, Any]:
        return {"waits_for": str(self.gate)}


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


async def test_address_of_a_code_is_in_no_row_and_no_output(scene: Scene) -> None:
    steps = {"says": code()}, {"fails": f"Channel login failed: {address()} 登录超时，请重试。"}

    task = await scene.run(*steps)

    assert "waiting_scan" in await scene.output()
    assert "[address]" in failed(task, "wechat_login_timeout")
    told = json.dumps([task.model_dump(mode="json"), await scene.output()], default=str)
    assert "mockqr" not in told
    assert "mockqr" not in str(await scene.w.redis.xrange(f"buddy:local:wechat:views:{scene.task_id}"))


async def test_expired_code_is_followed_by_a_new_one(scene: Scene) -> None:
    await scene.begin(
        {"says": code(1) + EXPIRED}, scene.waits() | {"says": code(2)}, {"waits_for": f"{scene.gate}2"}
    )
    expired = await scene.until(LoginState.EXPIRED)
    scene.gate.touch()
    again = await scene.until(LoginState.WAITING_SCAN, number=2)
    scene.gate.with_name(f"{GATE}2").touch()
    await scene.end()

    assert (expired.qrcode_url, expired.done) == (None, False)
    assert (again.qrcode_url, again.number) == (address(2), 2)


async def test_number_that_wechat_asks_for_gets_to_it(scene: Scene) -> None:
    await scene.begin(
        {"says": code() + PROMPT, "asks": True},
        {"says": "❌ 你输入的数字不匹配，请重新输入：", "asks": True},
        {"says": SCANNED, "binds": ACCOUNT},
        {"says": CONFIRMED},
    )
    first = await scene.until(LoginState.NEED_VERIFYCODE)
    await scene.logins.send_code("local", scene.task_id, "11")

    async def asked_again() -> list[LoginView]:
        return [seen for seen in await scene.views() if seen.message]

    (second,) = await eventually(asked_again, bool, seconds=10)
    await scene.logins.send_code("local", scene.task_id, "2345")
    done(await scene.end())

    assert (first.message, second.state) == ("", LoginState.NEED_VERIFYCODE)
    assert first.qrcode_url == address()
    assert (scene.fake.config_dir / "answers").read_text() == "11\n2345\n"
    assert "2345" not in json.dumps(await scene.output())


async def test_login_that_nobody_looks_at_ends_with_its_process(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_wechat, "FIRST_LISTENER_SECONDS", 0.0)
    await scene.begin({"says": code()}, scene.waits())
    await scene.until(LoginState.WAITING_SCAN)
    (pid,) = [pid for what, pid, _ in scene.fake.process_log if what == "login begins"]
    assert psutil.pid_exists(pid)

    await scene.w.redis.delete("buddy:local:wechat:listening")
    task = await scene.end()

    assert "Nobody looks at the code any more" in failed(task, "wechat_login_timeout")
    assert not psutil.pid_exists(pid)
    last = await scene.logins.last("local")
    assert last is not None
    assert (last.state, last.done, last.error) == ("timeout", True, "wechat_login_timeout")


async def test_hostile_lines_reach_nobody(scene: Scene) -> None:
    hostile = (
        "\x1b]8;;https://evil.example\x07https://evil.example/q\x1b]8;;\x07\n"
        "https://liteapp.weixin.qq.com.evil.example/q\n"
        "\x1b[2J\x1b]0;title\x07 <script>alert(1)</script>\n"
        f"{'x' * 100_000}\n"
    )

    await scene.begin(
        {"says": hostile + code()},
        scene.waits(),
        {"fails": "\x1b[31mChannel login failed: no\x1b[0m"},
    )
    await scene.until(LoginState.WAITING_SCAN)
    seen_before = await scene.views()  # the end empties the stream
    scene.gate.touch()
    task = await scene.end()

    codes = {seen.qrcode_url for seen in seen_before if seen.qrcode_url}
    views = [seen.model_dump() for seen in (*seen_before, *await scene.views())]
    told = json.dumps([*views, await scene.output()])
    assert codes == {address()}
    assert not [word for word in ("evil", "\\u001b", "script", "xxxx") if word in told]
    assert "An address that is none of WeChat's was not shown" in await scene.output()
    assert "\x1b" not in failed(task, "wechat_login_failed")


@pytest.mark.parametrize(
    ("words", "state", "slug"),
    [
        ("二维码多次失效，连接流程已停止。请稍后再试。", "expired", "wechat_login_timeout"),
        ("登录超时，请重试。", "timeout", "wechat_login_timeout"),
        ("多次输入错误，连接流程已停止。请稍后再试。", "verify_blocked", "wechat_login_timeout"),
        ("Failed to start login: TypeError: fetch failed", "error", "wechat_login_failed"),
    ],
)
async def test_login_that_fails_ends_as_its_reason_tells(
    scene: Scene, words: str, state: str, slug: str
) -> None:
    task = await scene.run({"says": code()}, {"fails": f"Channel login failed: {words}"})

    assert words in failed(task, slug)
    last = await scene.logins.last("local")
    assert last is not None
    assert (last.state, last.done, last.error) == (state, True, slug)


@pytest.mark.parametrize("plugins", [[], ["voice"]])
async def test_without_the_plugin_no_login_is_started(scene: Scene, plugins: list[str]) -> None:
    there(scene.fake, *plugins)

    assert "POST /v1/wechat/install" in failed(await scene.run(), "wechat_not_installed")
    assert not [what for what, *_ in scene.fake.process_log if what == "login begins"]


async def test_command_that_would_ask_whether_to_install_is_ended(scene: Scene) -> None:
    task = await scene.run({"says": "◆  Install Weixin plugin?\n", "asks": True})

    failed(task, "wechat_not_installed")


async def test_account_that_was_bound_before_is_said_to_be(scene: Scene) -> None:
    bind(scene.fake, ACCOUNT)
    scene.gateway.runs(ACCOUNT, at=1.0)

    task = await scene.run({"says": code() + "\n✅ 已连接过此 OpenClaw，无需重复连接。\n"})

    assert done(task) == {"state": "already_bound", "account": None, "channel": "running"}


async def test_gateway_that_does_not_start_the_account_by_itself_is_told_to(scene: Scene) -> None:
    scene.gateway.runs(ACCOUNT, at=1.0)  # it still has the token of before
    scene.gateway.does = lambda method: (
        scene.gateway.runs(ACCOUNT, at=time.time()) if method == "channels.start" else None
    )

    task = await scene.run({"says": code(), "binds": ACCOUNT}, {"says": CONFIRMED})

    assert done(task)["channel"] == "running"
    named = {"channel": PLUGIN, "accountId": ACCOUNT}
    assert scene.gateway.asked == [("channels.stop", named), ("channels.start", named)]


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


async def test_login_that_is_made_once_more_is_the_one_that_others_join(scene: Scene) -> None:
    await scene.begin({"says": code()}, scene.waits(), announced="task-of-before")

    assert (await scene.until(LoginState.WAITING_SCAN)).task_id == scene.task_id
    runner.cancel(scene.task_id)
    await scene.end()


async def test_deadline_is_told_as_such(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LoginWechatJob, "deadline_seconds", 2.0)
    task = await scene.run({"says": code()}, scene.waits())

    assert task.status is TaskStatus.TIMEOUT
    last = await scene.logins.last("local")
    assert last is not None
    assert (last.state, last.done, last.error) == ("timeout", True, task.errorCode)


async def test_login_that_is_cut_off_after_wechat_has_confirmed_it_stays_confirmed(scene: Scene) -> None:
    await scene.begin({"says": code(), "binds": ACCOUNT}, {"says": CONFIRMED}, scene.waits())
    await scene.until(LoginState.CONFIRMED)

    runner.cancel(scene.task_id)
    await scene.end()

    last = await scene.logins.last("local")
    assert last is not None
    assert (last.state, last.done, last.error) == ("confirmed", True, "cancelled")


async def test_command_that_shows_no_code_is_ended(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_wechat, "FIRST_CODE_SECONDS", 0.5)

    assert "no code within" in failed(await scene.run(scene.waits()), "wechat_login_failed")


async def test_cancelled_login_says_so_and_leaves_no_process(scene: Scene) -> None:
    await scene.begin({"says": code()}, scene.waits())
    await scene.until(LoginState.WAITING_SCAN)
    (pid,) = [pid for what, pid, _ in scene.fake.process_log if what == "login begins"]

    runner.cancel(scene.task_id)
    task = await scene.end()

    assert task.status is TaskStatus.CANCELLED
    assert not psutil.pid_exists(pid)
    last = await scene.logins.last("local")
    assert last is not None
    assert (last.state, last.done, last.error, last.qrcode_url) == ("error", True, "cancelled", None)


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
