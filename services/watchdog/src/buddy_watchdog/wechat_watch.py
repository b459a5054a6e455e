"""Tells people once that a WeChat session is over: the gateway calls such an account running."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import structlog
from pydantic import TypeAdapter

from buddy_common.adapters.alerts import Alerts
from buddy_common.adapters.own_record import OwnRecord
from buddy_common.adapters.wechat_sessions import ExpiredSession, expired_sessions
from buddy_common.errors import StateUnwritableError
from buddy_common.schemas.wechat import LOGIN_PAGE

log = structlog.get_logger(__name__)

LOOK_SECONDS = 60.0  # the plugin itself tries again once an hour
KEPT = 200  # sessions that are not over at the moment

Told = list[tuple[str, float]]  # account, and when it was bound


class WechatWatch:
    """Watches the accounts of one node."""

    def __init__(
        self,
        node: str,
        state_dir: Path,
        *,
        alerts: Alerts,
        told: Path,
        page: str = LOGIN_PAGE,
        log_folders: Sequence[Path] | None = None,
    ) -> None:
        """`told`: the file that remembers of which sessions people were told; `page`: where they log in."""
        self._node = node
        self._state_dir = state_dir
        self._alerts = alerts
        self._page = page
        self._told = OwnRecord(told, TypeAdapter(Told))
        self._log_folders = log_folders

    async def run_forever(self) -> None:
        """Look every minute; nothing here ends the watching of the gateway."""
        while True:
            try:
                await self.look()
            except Exception:  # files of another program's making
                log.exception("wechat_look_failed")
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Tell of each session that is over, once."""
        over = await expired_sessions(self._state_dir, log_folders=self._log_folders)
        told = await asyncio.to_thread(self._told.read) or []
        news = [session for session in over if (session.account, session.bound_at) not in told]
        if not news:
            return
        # what is not over at one look may be so again at the next: a log that cannot be read says nothing
        now = [(session.account, session.bound_at) for session in over]
        earlier = [one for one in told if one not in now][-KEPT:]
        try:  # remembered first: rather told too seldom than every minute
            await asyncio.to_thread(self._told.write, earlier + now)
        except StateUnwritableError as exc:
            log.warning("wechat_alerts_held_back", reason=exc.message)
            return
        for session in news:
            log.warning("wechat_session_expired", account=session.account)
            await self._alerts.notify(*alert_text(self._node, session, page=self._page))


def alert_text(node: str, session: ExpiredSession, *, page: str) -> tuple[str, str]:
    """Return the title and the text of an alert."""
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(session.expired_at))
    link = f"{page}?node={node}"
    lines = [
        f"节点 Node: {node}",
        f"账号 Account: {session.account}",
        f"时间 Since: {at}",
        f"下一步 Next: 打开 Buddy 的 {link} 重新扫码；在此之前收不到消息。",
        f"Scan a new code at Buddy's {link} ; no message arrives before.",
    ]
    return f"[{node}] 微信登录已失效 · WeChat session expired", "\n".join(lines)
