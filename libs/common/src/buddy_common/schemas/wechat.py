"""What crosses processes about WeChat: the state of a login, and of the accounts that are bound."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

PLUGIN = "openclaw-weixin"
PACKAGE = "@tencent-weixin/openclaw-weixin"
LOGIN_PAGE = "/wechat"  # where people get a QR code; alerts name it


class LoginState(StrEnum):
    """How far a login is; whether it has ended stands beside it."""

    STARTING = "starting"
    WAITING_SCAN = "waiting_scan"
    SCANNED = "scanned"
    NEED_VERIFYCODE = "need_verifycode"
    VERIFY_BLOCKED = "verify_blocked"
    CONFIRMED = "confirmed"
    ALREADY_BOUND = "already_bound"
    EXPIRED = "expired"  # of the code; the next one follows, unless the login has ended
    TIMEOUT = "timeout"
    ERROR = "error"


SUCCESSES = frozenset({LoginState.CONFIRMED, LoginState.ALREADY_BOUND})


class ChannelState(StrEnum):
    """Whether an account that has just been bound receives messages."""

    RUNNING = "running"
    GATEWAY_DOWN = "gateway_down"  # it starts together with the gateway


class LoginView(BaseModel):
    """A login at one moment. The address of the code lets whoever has it bind an account: it is a secret."""

    model_config = ConfigDict(frozen=True)

    task_id: str
    state: LoginState = LoginState.STARTING
    message: str = ""
    judging: bool = False  # a number is with WeChat: it reads no other until it asks again
    number: int = 0  # of the code: each refresh is another one
    qrcode_url: str | None = None
    qrcode_png: str | None = None  # as a data URI
    expires_at: float | None = None  # Unix seconds
    done: bool = False
    at: float = 0.0  # Unix seconds
    account: str | None = None
    channel: ChannelState | None = None
    error: str | None = None  # the slug of what it failed of


class AccountState(StrEnum):
    """How a bound account does."""

    CONNECTED = "connected"
    SESSION_EXPIRED = "session_expired"  # WeChat answers -14: scan a new code
    # the same WeChat user has been bound to another account since; the plugins that we install drop the older
    # account at such a login themselves, so this is left by others, or where that failed
    BOUND_ELSEWHERE = "bound_elsewhere"
    STOPPED = "stopped"
    UNKNOWN = "unknown"  # nobody can tell while the gateway is down
