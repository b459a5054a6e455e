"""The jobs about the WeChat channel: its plugin, and the accounts that are bound."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, StringConstraints

from buddy_common.schemas.job import Job, Lane, NodeLock
from buddy_common.schemas.plugin_jobs import PluginJob
from buddy_common.schemas.resources import Resource
from buddy_common.schemas.wechat import PLUGIN


def _no_way_up(account: str) -> str:
    if ".." in account:
        raise ValueError("`..` is in no account's id")
    return account


# the name of a file of the plugin, so without a slash
WechatAccountId = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,127}$"), AfterValidator(_no_way_up)
]


class InstallWechatJob(PluginJob):
    """Install the WeChat channel in the version that fits the OpenClaw in front of it."""

    task: ClassVar[str] = "buddy.wechat.install"
    title: ClassVar[str] = "Install WeChat"
    module: ClassVar[str] = "wechat"
    action: ClassVar[str] = "install"

    @property
    def target(self) -> str | None:
        """The plugin."""
        return PLUGIN


class LoginWechatJob(Job):
    """Bind a WeChat account by a QR code; it lives for as long as somebody looks at the code."""

    task: ClassVar[str] = "buddy.wechat.login"
    title: ClassVar[str] = "Log in to WeChat"
    module: ClassVar[str] = "wechat"
    action: ClassVar[str] = "login"
    lane: ClassVar[Lane] = Lane.SLOW
    # of the config it only takes what it needs at the end
    locks: ClassVar[frozenset[NodeLock]] = frozenset({NodeLock.WECHAT})
    changes: ClassVar[tuple[Resource, ...]] = (Resource.WECHAT,)
    # only to start the channel of what the first attempt has bound; no code is shown once more
    repeatable: ClassVar[bool] = True
    # the plugin gives up after 480 s; a gateway that restarts for the new account may take 300
    deadline_seconds: ClassVar[float] = 1080

    @property
    def target(self) -> str | None:
        """The plugin."""
        return PLUGIN


class UnbindWechatJob(Job):
    """Unbind a WeChat account: its channel is stopped, its token is gone."""

    task: ClassVar[str] = "buddy.wechat.unbind"
    title: ClassVar[str] = "Unbind WeChat account"
    module: ClassVar[str] = "wechat"
    action: ClassVar[str] = "unbind"
    lane: ClassVar[Lane] = Lane.FAST
    locks: ClassVar[frozenset[NodeLock]] = frozenset({NodeLock.WECHAT, NodeLock.CONFIG})
    changes: ClassVar[tuple[Resource, ...]] = (Resource.WECHAT,)
    repeatable: ClassVar[bool] = True
    deadline_seconds: ClassVar[float] = 900

    account: WechatAccountId

    @property
    def target(self) -> str | None:
        """The account."""
        return self.account
