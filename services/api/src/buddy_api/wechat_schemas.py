"""What the routes of the WeChat channel answer with."""
# ruff: noqa: N815 - the names of the guide and of OpenClaw

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from buddy_api.openclaw_schemas import MirroredFlat
from buddy_common.schemas.wechat import AccountState, ChannelState, LoginState, LoginView

_ACCOUNT = {
    "appId": "b0f5860fdecb-im-bot",
    "userId": "wxid_example",
    "state": "connected",
    "running": True,
    "lastError": None,
    "savedAt": "2026-03-28T02:00:00.000Z",
    "lastSyncAt": "2026-03-28T02:00:00+00:00",
    "lastInboundAt": "2026-03-28T01:59:50+00:00",
}
_CODE = {
    "qrcode_url": "https://liteapp.weixin.qq.com/q/7GiQu1?qrcode=0123456789abcdef&bot_type=3",
    "qrcode_png": "data:image/png;base64,iVBORw0KGgo…",
    "expires_at": "2026-03-28T10:05:00Z",
}


def _with(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"example": example})


class WechatAccount(BaseModel):
    """A WeChat account that is bound; times in Unix ms, `savedAt` as the plugin wrote it."""

    model_config = _with(_ACCOUNT)

    appId: str
    userId: str | None
    state: AccountState = Field(
        description=(
            "`session_expired`: WeChat has ended the session, scan a new code. `bound_elsewhere`: the same"
            " WeChat user was bound to another account since, and a plugin that does not drop the older one"
            " by itself left it (those that Buddy installs drop it). `unknown`: the gateway is down"
        )
    )
    running: bool
    lastError: str | None
    savedAt: str | int | None
    lastSyncAt: str | None
    lastInboundAt: str | None = None


class WechatStatus(MirroredFlat):
    """The WeChat channel."""

    model_config = _with(
        {
            "installed": True,
            "enabled": True,
            "configured": True,
            "pluginVersion": "2.4.9",
            "accounts": [_ACCOUNT],
            "updated_at": "2026-03-28 10:00:00",
            "source": "rpc",
            "stale": False,
            "age_ms": 812,
        }
    )

    installed: bool
    enabled: bool
    configured: bool
    pluginVersion: str | None
    accounts: list[WechatAccount]


class LoginCode(BaseModel):
    """A login, and the code to scan if there is one at the moment."""

    model_config = _with(
        {**_CODE, "state": "waiting_scan", "cached": False, "taskID": "task-1774656000-9f3c1a7e"}
    )

    qrcode_url: str | None
    qrcode_png: str | None = Field(description="The same as an image, in a data URI")
    state: LoginState
    expires_at: datetime | None = Field(description="WeChat may replace the code before")
    cached: bool = Field(description="Whether this login was there before the request")
    taskID: str
    message: str = ""
    account: str | None = None
    channel: ChannelState | None = None


class VerifyCode(BaseModel):
    """The number that the phone shows."""

    model_config = _with({"code": "1234"})

    code: str = Field(pattern=r"^[0-9]{1,12}$", description="Digits, as a text")


class CodeHandedIn(BaseModel):
    """The number is with WeChat; `state` is what came of it so far."""

    model_config = _with(
        {
            "status": "success",
            "message": "验证码已提交",
            "state": "scanned",
            "taskID": "task-1774656000-9f3c1a7e",
        }
    )

    status: str = "success"
    message: str
    state: LoginState
    taskID: str


def code_of(view: LoginView, *, cached: bool) -> LoginCode:
    """Return a login as clients see it."""
    return LoginCode(
        qrcode_url=view.qrcode_url,
        qrcode_png=view.qrcode_png,
        state=view.state,
        expires_at=None if view.expires_at is None else datetime.fromtimestamp(view.expires_at, UTC),
        cached=cached,
        taskID=view.task_id,
        message=view.message,
        account=view.account,
        channel=view.channel,
    )


class LoginStatus(BaseModel):
    """How far a login is."""

    state: LoginState
    message: str
    taskID: str

    @classmethod
    def of(cls, view: LoginView) -> "LoginStatus":
        """Return that of a login."""
        return cls(state=view.state, message=view.message, taskID=view.task_id)


class LoginDone(LoginStatus):
    """How it ended; `channel` says whether the account receives messages already.

    `confirmed` with an `error`: the account is bound, but its channel could not be started.
    """

    account: str | None
    channel: ChannelState | None
    error: str | None

    @classmethod
    def of(cls, view: LoginView) -> "LoginDone":
        """Return that of a login."""
        return cls(
            state=view.state,
            message=view.message,
            taskID=view.task_id,
            account=view.account,
            channel=view.channel,
            error=view.error,
        )
