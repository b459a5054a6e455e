"""Alerts are short, say what to do, and hold no secret."""

import pytest

from buddy_common.schemas.healing import EventKind
from buddy_common.schemas.verdicts import Verdict
from buddy_watchdog.tell import MOST_REASON_CHARACTERS, alert_text
from common.db.healing_rows import event

REPAIRS = [
    event(2, EventKind.REPAIR, repair="restart", outcome="failed: it died again", attempt=1),
    event(4, EventKind.REPAIR, repair="rollback", outcome="done: it is up", attempt=2),
]


def test_an_alert_says_where_what_why_what_was_done_and_what_to_do() -> None:
    title, body = alert_text("vps-1", event(1, EventKind.DETECTED, report="i1.md"), REPAIRS)

    assert title == "[vps-1] OpenClaw 发现故障 · trouble found"
    assert body.splitlines() == [
        "节点 Node: vps-1",
        "判定 Verdict: crashed 进程已退出",
        "原因 Reason: reason 1",
        "处理 Done: 2 × rollback: done: it is up",
        "下一步 Next: 若反复出现，查看日志末尾的报错，并确认没有别的程序在结束它。",
        "If it comes again, look at the last error of the log, and for whoever ends the process.",
        "报告 Report: i1.md",
    ]


def test_an_alert_of_a_recovery_says_how_long_it_took() -> None:
    recovered = event(5, EventKind.RECOVERED, Verdict.READY, seconds_to_recover=12.5)
    title, body = alert_text("local", recovered, REPAIRS)

    assert "已恢复 · recovered" in title
    assert "恢复用时 Recovered in: 12.5 s" in body


@pytest.mark.parametrize("kind", list(EventKind))
def test_every_kind_of_event_has_a_title(kind: EventKind) -> None:
    title, body = alert_text("local", event(1, kind), [])

    assert title.startswith("[local] OpenClaw ")
    assert "尚无 nothing yet" in body


def test_an_alert_is_short_and_holds_no_secret() -> None:
    secret = "sk-proj-abcdefghij0123456789"
    _, body = alert_text("local", event(1, EventKind.DETECTED, reason=f"it said {secret} " * 1000), [])

    assert secret not in body
    assert len(body) < MOST_REASON_CHARACTERS + 400
