"""What the login to WeChat says, as states; the words are those of both plugins."""

import pytest

from buddy_common.schemas.wechat import LoginState
from buddy_worker.usecases.wechat_output import (
    LoginOutput,
    Said,
    asks_to_install,
    ending_of,
    is_address,
    is_wechat_address,
    without_addresses,
)

CODE = "https://liteapp.weixin.qq.com/q/mock?qrcode=mockqr1795355711&bot_type=3"
ASKED = "输入手机微信显示的数字，以继续连接："
ASKED_AGAIN = f"{ASKED}❌ 你输入的数字不匹配，请重新输入："


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ("正在启动...", LoginState.STARTING),
        ("正在启动微信扫码登录...", LoginState.STARTING),
        ("正在验证", LoginState.SCANNED),
        ("👀 已扫码，在微信继续操作...", LoginState.SCANNED),
        ("⏳ 二维码已过期，正在刷新...", LoginState.EXPIRED),
        ("⏳ 二维码已过期，正在刷新...(2/3)", LoginState.EXPIRED),
        ("⛔ 多次输入错误，请稍后再试。", LoginState.VERIFY_BLOCKED),
        ("✅ 已连接过此 OpenClaw，无需重复连接。", LoginState.ALREADY_BOUND),
        ("已将此 OpenClaw 连接到微信。", LoginState.CONFIRMED),
        ("✅ 与微信连接成功！", LoginState.CONFIRMED),
    ],
)
def test_line_of_the_plugin_is_a_state(line: str, state: LoginState) -> None:
    assert LoginOutput().line(line) == Said(state)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "█▄▄▄▄▄▄▄█▄█▄▄█▄▄███▄▄█▄██▄██▄▄██▄██",
        "用手机微信扫描以下二维码，以继续连接：",
        "若二维码未能显示或无法使用，你可以访问以下链接以继续：",
        "正在等待操作...",
        "🔄 二维码已更新，请重新扫描。",
        "Gateway not reachable at ws://127.0.0.1:18889 (ECONNREFUSED).",
        f"scan {CODE}",
    ],
)
def test_line_that_tells_nothing_is_passed_over(line: str) -> None:
    assert LoginOutput().line(line) is None


@pytest.mark.parametrize("address", [CODE, "https://weixin.qq.com/x", "https://a.b.weixin.qq.com/q"])
def test_address_of_wechat_is_a_code(address: str) -> None:
    assert LoginOutput().line(f"  {address} ") == Said(LoginState.WAITING_SCAN, url=address)


@pytest.mark.parametrize(
    "address",
    [
        "http://liteapp.weixin.qq.com/q/mock",
        "https://liteapp.weixin.qq.com.evil.example/q",
        "https://evilweixin.qq.com/q",
        "https://evil.example/liteapp.weixin.qq.com",
        "https://liteapp.weixin.qq.com@evil.example/q",
        "https://user@liteapp.weixin.qq.com/q",
        "https://liteapp.weixin.qq.com:8443/q",
        "https://liteapp.weixin.qq.com:x/q",
        "https://liteapp.weixin.qq.com\\@evil.example/q",
        'https://liteapp.weixin.qq.com/"><script>',
        "https://liteapp.weixin.qq.com/'onload='x",
        "https://liteapp.weixin.qq.com/\u202eq",
        "https://liteapp.weixin.qq.com/\x1b[2Jq",
        "https://[liteapp.weixin.qq.com/q",
        "javascript://liteapp.weixin.qq.com/%0aalert(1)",
        f"https://liteapp.weixin.qq.com/{'q' * 1000}",
    ],
)
def test_any_other_address_is_none(address: str) -> None:
    assert not is_wechat_address(address)
    assert LoginOutput().line(address) is None


def test_question_is_asked_once_however_often_it_is_seen() -> None:
    output = LoginOutput()

    assert output.prompt("输入手机微") is None
    assert output.prompt(ASKED) == Said(LoginState.NEED_VERIFYCODE)
    assert output.prompt(ASKED) is None


def test_question_that_is_asked_again_says_that_the_number_was_wrong() -> None:
    output = LoginOutput()
    output.prompt(ASKED)

    said = output.prompt(ASKED_AGAIN)

    assert said == Said(LoginState.NEED_VERIFYCODE, "The number was not the right one")
    assert output.prompt(f"{ASKED_AGAIN}❌ 你输入的数字不匹配，请重新输入：") == said


def test_question_that_has_got_its_line_end_is_none_any_more() -> None:
    output = LoginOutput()
    output.prompt(ASKED)

    assert output.line(ASKED_AGAIN) is None
    assert output.line("正在验证") == Said(LoginState.SCANNED)


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        ("Channel login failed: 登录超时，请重试。", LoginState.TIMEOUT),
        ("Channel login failed: 登录超时：二维码多次过期，请重新开始登录流程。", LoginState.EXPIRED),
        ("Channel login failed: 二维码多次失效，连接流程已停止。请稍后再试。", LoginState.EXPIRED),
        ("Channel login failed: 多次输入错误，连接流程已停止。请稍后再试。", LoginState.VERIFY_BLOCKED),
        ("Channel login failed: Failed to start login: TypeError: fetch failed", LoginState.ERROR),
    ],
)
def test_failed_login_ends_in_the_state_that_its_reason_tells(reason: str, state: LoginState) -> None:
    assert ending_of(reason) is state


def test_addresses_are_taken_out_of_a_reason() -> None:
    assert without_addresses(f"failed\n{CODE}\nend") == "failed\n[address]\nend"
    assert is_address(" https://evil.example/q ")
    assert not is_address(f"see {CODE}")


@pytest.mark.parametrize("line", ["◆  Install Weixin plugin?", 'Unsupported channel "openclaw-weixin".'])
def test_command_that_wants_to_install_is_told(line: str) -> None:
    assert asks_to_install(line)
    assert not asks_to_install(CODE)
