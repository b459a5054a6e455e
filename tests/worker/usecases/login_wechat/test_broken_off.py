"""A login that fails, is cancelled or runs out of time, and one that is not even started."""

import psutil
import pytest

from buddy_common.schemas.tasks import TaskStatus
from buddy_common.schemas.wechat import LoginState
from buddy_common.schemas.wechat_jobs import LoginWechatJob
from buddy_worker import runner
from buddy_worker.usecases import login_wechat
from worker.plugin_jobs import failed, there
from worker.usecases.login_wechat.scene import Scene
from worker.wechat_scene import ACCOUNT, CONFIRMED, code

pytestmark = pytest.mark.timeout(30)


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
