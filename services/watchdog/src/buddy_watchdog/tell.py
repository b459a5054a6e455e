"""Alerts of an incident: short, in Chinese and English, and without secrets."""

from collections.abc import Sequence

from buddy_common.adapters.alerts import Alerts
from buddy_common.schemas.healing import EventKind, HealEvent
from buddy_common.text_mask import mask_text
from buddy_watchdog.advice import ADVICE
from buddy_watchdog.report import Reporter

MOST_REASON_CHARACTERS = 500
_TITLES = {
    EventKind.DETECTED: ("发现故障", "trouble found"),
    EventKind.RECOVERED: ("已恢复", "recovered"),
    EventKind.GAVE_UP: ("已放弃自动修复，需要人工处理", "gave up, a person has to look"),
}
_OTHER = ("状态变化", "news")


class Teller:
    """Tells people of the incidents of one node."""

    def __init__(self, node: str, alerts: Alerts, reporter: Reporter) -> None:
        self._node = node
        self._alerts = alerts
        self._reporter = reporter

    async def tell(self, event: HealEvent) -> None:
        """Alert people; never raises."""
        repairs, backup = self._reporter.repairs(event.incident), await self._reporter.newest_good()
        title, body = alert_text(self._node, event, repairs, backup=backup)
        await self._alerts.notify(title, body)


def alert_text(
    node: str, event: HealEvent, repairs: Sequence[HealEvent], *, backup: str | None = None
) -> tuple[str, str]:
    """Return the title and the text of an alert; `backup` is the newest good config."""
    title_zh, title_en = _TITLES.get(event.kind, _OTHER)
    advice = ADVICE[event.verdict].naming(backup)
    last = repairs[-1] if repairs else None
    done = f"{len(repairs)} × {last.repair}: {last.outcome}" if last is not None else "尚无 nothing yet"
    lines = [
        f"节点 Node: {node}",
        f"判定 Verdict: {event.verdict} {advice.name_zh}",
        f"原因 Reason: {_short(event.reason)}",
        f"处理 Done: {_short(done)}",
        f"下一步 Next: {advice.next_zh}",
        advice.next_en,
    ]
    if event.seconds_to_recover is not None:
        lines.append(f"恢复用时 Recovered in: {event.seconds_to_recover:g} s")
    if event.report is not None:
        lines.append(f"报告 Report: {event.report}")
    return f"[{node}] OpenClaw {title_zh} · {title_en}", "\n".join(lines)


def _short(text: str) -> str:
    return mask_text(" ".join(text.split()))[:MOST_REASON_CHARACTERS]
