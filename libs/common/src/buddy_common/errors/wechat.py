"""The WeChat channel, and logins to it."""

from http import HTTPStatus

from buddy_common.errors.base import BuddyError
from buddy_common.errors.requests import NotFoundError


class WechatNotInstalledError(BuddyError):
    """OpenClaw has no WeChat plugin, or it is off."""

    error = "wechat_not_installed"
    status = HTTPStatus.CONFLICT

    def __init__(self) -> None:
        super().__init__(
            "The WeChat plugin is not installed, or it is off. `POST /v1/wechat/install` installs it and"
            " turns it on."
        )


class WechatUnsupportedError(BuddyError):
    """There is no WeChat plugin for this OpenClaw."""

    error = "wechat_unsupported"
    status = HTTPStatus.CONFLICT

    def __init__(self, version: str | None, oldest: str) -> None:
        super().__init__(
            f"There is no WeChat plugin for OpenClaw {version or 'of an unknown version'}: it needs {oldest}"
            " or newer. Update OpenClaw first.",
            version=version,
        )


class WechatLoginError(BuddyError):
    """A login has ended without a bound account; the message says why."""

    error = "wechat_login_failed"
    status = HTTPStatus.BAD_GATEWAY

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason} `GET /v1/wechat/qrcode` starts a new login.")


class WechatLoginTimeoutError(WechatLoginError):
    """Nobody has scanned a code in time, or nobody looks at it any more."""

    error = "wechat_login_timeout"
    status = HTTPStatus.GATEWAY_TIMEOUT


class WechatChannelError(BuddyError):
    """The accounts are as asked for, but the gateway does not run them so."""

    error = "wechat_channel_failed"
    status = HTTPStatus.BAD_GATEWAY


class TooManyWechatListenersError(BuddyError):
    """As many requests follow WeChat logins as one process serves."""

    error = "too_many_wechat_listeners"
    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} requests look at a WeChat login already. Close some of the pages that show its code.",
            limit=limit,
        )


class NoWechatLoginError(BuddyError):
    """No login waits for a number."""

    error = "no_verifycode_wanted"
    status = HTTPStatus.CONFLICT

    def __init__(self) -> None:
        super().__init__(
            "No WeChat login of this node waits for a number. `GET /v1/wechat/qrcode` starts a login, and"
            " says `need_verifycode` when it does."
        )


class WechatNumberPendingError(BuddyError):
    """A number that was handed in before is still looked at."""

    error = "verifycode_pending"
    status = HTTPStatus.CONFLICT

    def __init__(self) -> None:
        super().__init__(
            "WeChat still looks at the number that was handed in last. Wait for what it says: it asks again"
            " where that was not the right one."
        )


class UnknownWechatAccountError(NotFoundError):
    """No WeChat account of this id is bound."""

    error = "unknown_wechat_account"

    def __init__(self, account: str) -> None:
        super().__init__(
            f"No WeChat account {account!r} is bound. `GET /v1/wechat/config/status` lists them."
        )
