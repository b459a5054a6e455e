"""What stands in a report, and what must not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from markdown_it import MarkdownIt

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


# what a reader of the report may get: HTML in it is HTML, and addresses of any kind are followed
VIEWER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
VIEWER.validateLink = lambda url: True  # type: ignore[method-assign]  # the least careful one
PLAIN = text_of(*ENTRIES, diff="x", said=("x",))

NASTY = (
    'Unrecognized key: "<img src=x onerror=alert(1)>"',
    "[x](javascript:alert(1))",
    "![x](https://host/y.png)",
    "<javascript:alert(1)>",
    "[x][y] [y]: javascript:alert(1)",
    "<!-- no end",
    "&lt;b&gt; stays as it is, and &amp;",
    "a | b || c",
    "*a* **b** _c_ __d__ ~~e~~",
    "`a` ``b`` ```",
    r"\ \` \< \[x](javascript:a) \\[x](javascript:a)",
    "a\n\n# heading\n\n<b>",
    "a\r\r```\r<b>",
)


def tags(text: str) -> list[tuple[str, str]]:
    """Return what a viewer makes of the text, but what it says."""
    tokens = [inner for token in VIEWER.parse(text) for inner in (token, *(token.children or ()))]
    return [
        (token.type, token.tag) for token in tokens if token.type not in ("text", "text_special", "softbreak")
    ]


def shown(text: str) -> str:
    """Return what a viewer shows of the lines."""
    tokens = [inner for token in VIEWER.parse(text) for inner in (token.children or ())]
    return "".join(token.content for token in tokens if token.type in ("text", "text_special", "code_inline"))


@pytest.mark.parametrize("nasty", NASTY)
def test_what_others_said_is_text_to_every_viewer(nasty: str) -> None:
    """Reasons, outcomes, the name of the node and of a repair, what was said, changes and evidence."""
    entries = [
        entry(1, EventKind.DETECTED, reason=nasty, seconds_to_detect=0.4, evidence_before={"said": [nasty]}),
        entry(2, EventKind.REPAIR, reason=nasty, repair="restart", outcome=nasty, attempt=1, lines=[nasty]),
        entry(3, EventKind.RECOVERED, Verdict.READY, reason=nasty, attempt=1, evidence_before={"pid": 8}),
    ]
    parts = ReportParts(nasty, "i1", entries, nasty, (nasty,))

    assert tags(report_text(parts)) == tags(PLAIN)
    assert shown(report_text(parts)).count(" ".join(nasty.split())) == 7  # node, reasons, outcomes


@pytest.mark.parametrize("repair", ["restart", "a`b", "``", "a|b", "<b>", "x` <b> `"])
def test_the_name_of_a_repair_stays_code(repair: str) -> None:
    made = entry(2, EventKind.REPAIR, repair=repair, outcome="done: up", attempt=1, lines=["one", "two"])

    assert tags(text_of(ENTRIES[0], made, ENTRIES[2], diff="x", said=("x",))) == tags(PLAIN)


def test_what_people_write_stays_readable_without_a_viewer() -> None:
    reason = "网关配置无效 agents.entries.bot_1.model: must be a string (line 3), 100% -> 'x' \"y\"!"

    assert f": {reason.replace('>', '&gt;')}\n" in text_of(entry(1, EventKind.DETECTED, reason=reason))


@pytest.mark.parametrize("said", ["```", "`````\n~~~", "a\r````\r# b", "```text", " ```` "])
def test_no_line_ends_its_block(said: str) -> None:
    blocks = [
        token.content for token in VIEWER.parse(text_of(*ENTRIES, said=(said,))) if token.type == "fence"
    ]

    assert blocks[-1] == said.replace("\r", "\n") + "\n"
