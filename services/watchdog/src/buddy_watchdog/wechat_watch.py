"""Tells people once that a WeChat session is over: the gateway calls such an account running."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
FIRST_WAIT_SECONDS = 30.0  # after an alert that nobody took; then twice as long each time
LONGEST_WAIT_SECONDS = 3600.0


@dataclass(frozen=True)
class Alert:
    """What became of the alert about one session."""

    account: str
    bound_at: float
    told: bool = False
    attempts: int = 0
    next_at: float = 0.0  # by the clock on the wall: a restart does not begin anew

    def is_due(self, now: float) -> bool:
        """Whether to send it now; a clock that was set back holds up nothing."""
        return not self.told and not now < self.next_at <= now + LONGEST_WAIT_SECONDS

    def tried(self, now: float) -> "Alert":
        """Return it with one attempt more, and the time of the next."""
        wait = min(FIRST_WAIT_SECONDS * 2**self.attempts, LONGEST_WAIT_SECONDS)
        return replace(self, attempts=min(self.attempts + 1, 10), next_at=now + wait)


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
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`told`: the file that remembers of which sessions people were told; `page`: where they log in."""
        self._node = node
        self._state_dir = state_dir
        self._alerts = alerts
        self._page = page
        self._told = OwnRecord(told, TypeAdapter(list[Alert]))
        self._log_folders = log_folders
        self._clock = clock
        self._taken: set[tuple[str, float]] = set()  # since the start: a full disk does not tell twice

    async def run_forever(self) -> None:
        """Look every minute; nothing here ends the watching of the gateway."""
        while True:
            try:
                await self.look()
            except Exception:  # files of another program's making
                log.exception("wechat_look_failed")
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Tell of each session that is over, once: again only while nobody has taken the alert."""
        over = await expired_sessions(self._state_dir, log_folders=self._log_folders)
        known = {(one.account, one.bound_at): one for one in await asyncio.to_thread(self._told.read) or []}
        for session in over:
            key = (session.account, session.bound_at)
            alert = known.get(key, Alert(*key))
            if key in self._taken:
                alert = replace(alert, told=True)
            elif alert.is_due(self._clock()):
                alert = alert.tried(self._clock())
                # remembered first: rather told too seldom than every minute
                if not await self._remember(known | {key: alert}, over):
                    continue
                if await self._tell(session):
                    self._taken.add(key)
                    alert = replace(alert, told=True)
            if known.get(key) != alert:
                known[key] = alert
                await self._remember(known, over)

    async def _remember(self, known: dict[tuple[str, float], Alert], over: Sequence[ExpiredSession]) -> bool:
        """Write what became of the alerts, and say whether it is on the disk."""
        # what is not over at one look may be so again at the next: a log that cannot be read says nothing
        now = {(session.account, session.bound_at) for session in over}
        earlier = [alert for key, alert in known.items() if key not in now][-KEPT:]
        current = [alert for key, alert in known.items() if key in now]
        try:
            await asyncio.to_thread(self._told.write, earlier + current)
        except StateUnwritableError as exc:
            log.warning("wechat_alerts_held_back", reason=exc.message)
            return False
        return True

    async def _tell(self, session: ExpiredSession) -> bool:
        """Send the alert; say whether somebody has taken it, or nobody is to be told."""
        log.warning("wechat_session_expired", account=session.account)
        deliveries = await self._alerts.notify(*alert_text(self._node, session, page=self._page))
        return not deliveries or any(delivery.ok for delivery in deliveries)


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
