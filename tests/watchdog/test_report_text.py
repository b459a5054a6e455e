"""What stands in a report, and what must not."""

from datetime import UTC, datetime, timedelta
from typing import Any

from buddy_common.schemas.healing import EventKind, HealEvent
from buddy_common.schemas.verdicts import Verdict
from buddy_watchdog.advice import ADVICE
from buddy_watchdog.report_text import Entry, ReportParts, report_text

START = datetime(2026, 3, 28, 10, tzinfo=UTC)
SECRET = "sk-proj-abcdefghij0123456789"


def entry(number: int, kind: EventKind, verdict: Verdict = Verdict.CRASHED, **more: Any) -> Entry:
    lines = more.pop("lines", [])
    fields: dict[str, Any] = {
        "id": f"e{number}",
        "incident": "i1",
        "node": "local",
        "at": START + timedelta(seconds=number),
        "kind": kind,
        "verdict": verdict,
        "reason": f"reason {number}",
    }
    return Entry(event=HealEvent(**fields | more), lines=lines)


ENTRIES = [
    entry(
        1, EventKind.DETECTED, seconds_to_detect=0.4, evidence_before={"pid": 7, "said": [f"key {SECRET}"]}
    ),
    entry(
        2, EventKind.REPAIR, repair="restart", outcome="done: up", attempt=1, lines=[f"used {SECRET}", "two"]
    ),
    entry(
        3, EventKind.RECOVERED, Verdict.READY, attempt=1, seconds_to_recover=11, evidence_before={"pid": 8}
    ),
]


def text_of(*entries: Entry, diff: str = "", said: tuple[str, ...] = ()) -> str:
    return report_text(ReportParts("local", "i1", entries, diff, said))


def test_a_report_has_everything_in_its_place() -> None:
    text = text_of(*ENTRIES, diff="-a\n+b", said=("last words",))
    headings = [line for line in text.splitlines() if line.startswith("#")]

    assert headings == [
        "# 故障报告 Incident i1",
        "## 下一步 What to do next",
        "## 时间线 Timeline",
        "## 已做的事 What was done",
        "## 证据 Evidence",
        "## 配置变化 Config changes",
        "## 网关日志 Gateway log",
    ]
    assert "- 2026-03-28 10:00:02Z **修复 Repair** `crashed`: reason 2 → `restart`: done: up" in text
    assert "```diff\n-a\n+b\n```" in text
    assert "```text\nlast words\n```" in text
    assert '"pid": 7' in text
    assert '"pid": 8' in text


def test_a_report_tells_what_to_do_about_what_was_the_matter() -> None:
    text = text_of(*ENTRIES)

    assert ADVICE[Verdict.CRASHED].next_zh in text
    assert ADVICE[Verdict.CRASHED].next_en in text
    assert "| 发现用时 Seconds to detect | 0.4 |" in text
    assert "| 恢复用时 Seconds to recover | 11 |" in text
    assert "| 状态 State | 恢复 Recovered, 2026-03-28 10:00:03Z |" in text


def test_an_incident_that_goes_on_says_so() -> None:
    text = text_of(ENTRIES[0])

    assert "| 状态 State | 进行中 goes on |" in text
    assert "尚未修复" in text


def test_no_secret_is_in_it_wherever_it_was_said() -> None:
    reasons = entry(4, EventKind.CHANGED, reason=f"it said {SECRET}")
    outcome = entry(5, EventKind.REPAIR, repair="restart", outcome=f"failed: {SECRET}")

    assert SECRET not in text_of(*ENTRIES, reasons, outcome)


def test_what_a_gateway_says_cannot_end_its_block_or_a_row_of_a_table() -> None:
    nasty = entry(1, EventKind.DETECTED, reason="a | b\n\n# not a heading")
    text = text_of(nasty, said=("```", "# no heading", "````"))

    assert "`````text\n```\n# no heading\n````\n`````" in text
    assert "| 原因 Reason | a \\| b # not a heading |" in text


def test_what_the_doctor_said_is_in_the_report_and_masked() -> None:
    asked = report_text(ReportParts("local", "i1", ENTRIES, "", (), doctor=[f"[warning] a key {SECRET}"]))

    assert "## OpenClaw 自检 OpenClaw's own check" in asked
    assert "[warning] a key" in asked
    assert SECRET not in asked
    assert "自检" not in text_of(*ENTRIES)
