"""The code of a login: shown to whoever listens, asked for again, and never told by its row."""

import json

import pytest

from buddy_common.schemas.wechat import LoginState, LoginView
from buddy_worker import runner
from buddy_worker.usecases import login_wechat
from eventually import eventually
from worker.plugin_jobs import done, failed
from worker.usecases.login_wechat.scene import GATE, Scene
from worker.wechat_scene import ACCOUNT, CONFIRMED, EXPIRED, PROMPT, SCANNED, WRONG, address, code

pytestmark = pytest.mark.timeout(30)


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
        {"says": WRONG, "asks": True},
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


async def test_second_number_after_one_prompt_reaches_nobody(scene: Scene) -> None:
    await scene.begin(
        {"says": code() + PROMPT, "asks": True},
        scene.waits() | {"says": WRONG, "asks": True},
        {"says": SCANNED, "binds": ACCOUNT},
        {"says": CONFIRMED},
    )
    await scene.until(LoginState.NEED_VERIFYCODE)
    await scene.logins.send_code("local", scene.task_id, "11")

    async def seen() -> LoginView:
        return (await scene.views())[-1]

    await eventually(seen, lambda view: view.judging, seconds=10)
    await scene.logins.send_code("local", scene.task_id, "11")  # a double click
    await eventually(
        lambda: scene.w.redis.exists(f"buddy:local:wechat:code:{scene.task_id}"), lambda n: n == 0
    )
    scene.gate.touch()
    asked_again = await eventually(seen, lambda view: not view.judging, seconds=10)
    await scene.logins.send_code("local", scene.task_id, "2345")
    done(await scene.end())

    assert asked_again.message == "The number was not the right one"
    assert (scene.fake.config_dir / "answers").read_text() == "11\n2345\n"


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


async def test_login_that_is_made_once_more_is_the_one_that_others_join(scene: Scene) -> None:
    await scene.begin({"says": code()}, scene.waits(), announced="task-of-before")

    assert (await scene.until(LoginState.WAITING_SCAN)).task_id == scene.task_id
    runner.cancel(scene.task_id)
    await scene.end()


async def test_command_that_shows_no_code_is_ended(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_wechat, "FIRST_CODE_SECONDS", 0.5)

    assert "no code within" in failed(await scene.run(scene.waits()), "wechat_login_failed")
