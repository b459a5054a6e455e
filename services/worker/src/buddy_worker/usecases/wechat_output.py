"""What OpenClaw's login to WeChat says to people at a terminal, as states; both generations of the plugin.

Nothing of it is handed on as it is: only an address of WeChat becomes a code, only words known here a state.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from buddy_common.schemas.wechat import LoginState

MAX_URL_CHARACTERS = 1000
_DOMAIN = "weixin.qq.com"  # Tencent's; the login service answers with liteapp.weixin.qq.com
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_PLAIN = re.compile(r"[!#-&(-;=?-Z_a-z~]+")  # of an address, without quotes, brackets and backslashes

# the first that a line holds
_STATES = (
    ("已连接过此 OpenClaw", LoginState.ALREADY_BOUND),
    ("已将此 OpenClaw 连接到微信", LoginState.CONFIRMED),
    ("与微信连接成功", LoginState.CONFIRMED),
    ("多次输入错误", LoginState.VERIFY_BLOCKED),
    ("二维码已过期", LoginState.EXPIRED),
    ("已扫码", LoginState.SCANNED),
    ("正在验证", LoginState.SCANNED),
    ("正在启动", LoginState.STARTING),
)
_PROMPTS = (
    ("你输入的数字不匹配，请重新输入：", "The number was not the right one"),
    ("输入手机微信显示的数字，以继续连接：", ""),
)
_ENDINGS = (
    ("多次输入错误", LoginState.VERIFY_BLOCKED),
    ("多次失效", LoginState.EXPIRED),
    ("多次过期", LoginState.EXPIRED),
    ("二维码已过期", LoginState.EXPIRED),
    ("登录超时", LoginState.TIMEOUT),
)
_NOT_INSTALLED = ("Install Weixin plugin?", "Unsupported channel")


@dataclass(frozen=True)
class Said:
    """What a line means."""

    state: LoginState
    message: str = ""
    url: str | None = None


class LoginOutput:
    """The output of one login, line by line."""

    def __init__(self) -> None:
        self._prompt = ""

    def line(self, text: str) -> Said | None:
        """Return what a line of stdout means, None where it means nothing."""
        self._prompt = ""
        text = text.strip()
        if is_wechat_address(text):
            return Said(LoginState.WAITING_SCAN, url=text)
        return next((Said(state) for words, state in _STATES if words in text), None)

    def prompt(self, text: str) -> Said | None:
        """Return what a line without an end asks, None where it asks nothing, or the same as before."""
        if text == self._prompt:
            return None
        for words, message in _PROMPTS:
            if text.endswith(words):
                self._prompt = text
                return Said(LoginState.NEED_VERIFYCODE, message)
        return None


def is_wechat_address(text: str) -> bool:
    """Whether a text is an address that people may be sent to: https, a host of WeChat, and nothing else."""
    if len(text) > MAX_URL_CHARACTERS or not _PLAIN.fullmatch(text):
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    ours = host == _DOMAIN or host.endswith(f".{_DOMAIN}")
    return parts.scheme == "https" and ours and port is None and parts.netloc.lower() == host


def is_address(text: str) -> bool:
    """Whether a line is an address, and nothing else, of whatever host."""
    return bool(_ADDRESS.fullmatch(text.strip()))


def asks_to_install(text: str) -> bool:
    """Whether OpenClaw has no such channel, and would ask people what to do about it."""
    return any(words in text for words in _NOT_INSTALLED)


def without_addresses(text: str) -> str:
    """Return a text without addresses: that of a code is a secret."""
    return _ADDRESS.sub("[address]", text)


def ending_of(reason: str) -> LoginState:
    """Return in which state a login ended that failed with these words."""
    return next((state for words, state in _ENDINGS if words in reason), LoginState.ERROR)
