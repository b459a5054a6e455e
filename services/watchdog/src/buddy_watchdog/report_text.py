"""The text of an incident's report: Markdown, in Chinese and English, pure.

What others said, such as a gateway whose agents choose names, is text in it: no markup, no link.
"""

import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from buddy_common.schemas.healing import EventKind, HealEvent
from buddy_common.schemas.verdicts import Verdict
from buddy_common.text_mask import mask_text
from buddy_watchdog.advice import ADVICE

_KINDS = {
    EventKind.DETECTED: "发现 Detected",
    EventKind.CHANGED: "变化 Changed",
    EventKind.REPAIR: "修复 Repair",
    EventKind.RECOVERED: "恢复 Recovered",
    EventKind.GAVE_UP: "放弃 Gave up",
    EventKind.ENDED: "结束 Ended",
}
_FOUND = frozenset({EventKind.DETECTED, EventKind.CHANGED})
# what has a meaning in a line; an underscore within a word has none, and names are full of them
_MARKUP = re.compile(r"[\\`*|~\[\]]|!(?=\[)|(?<![^\W_])_|_(?![^\W_])")
_OVER = frozenset({EventKind.RECOVERED, EventKind.ENDED})


class Entry(BaseModel):
    """An event, and what a repair said of itself."""

    model_config = ConfigDict(frozen=True)

    event: HealEvent
    lines: list[str] = []


class Said(BaseModel):
    """The last words of a gateway that has gone."""

    model_config = ConfigDict(frozen=True)

    at: datetime  # when they were read
    lines: list[str]


@dataclass(frozen=True)
class ReportParts:
    """What a report is made of; `diff` and what was said have no secrets any more."""

    node: str
    incident: str
    entries: Sequence[Entry]
    diff: str
    said: Sequence[str]
    said_before: Sequence[Said] = ()
    backup: str | None = None  # the newest good config
    doctor: Sequence[str] | None = None  # None: it was not asked


def report_text(parts: ReportParts) -> str:
    """Return the report."""
    events = [entry.event for entry in parts.entries]
    verdict = verdict_of(events)
    advice = ADVICE[verdict].naming(parts.backup)
    sections = [
        f"# 故障报告 Incident {parts.incident}",
        _summary(parts.node, events, verdict),
        f"## 下一步 What to do next\n\n- {advice.next_zh}\n- {advice.next_en}",
        "## 时间线 Timeline\n\n" + "\n".join(_line(event) for event in events),
        "## 已做的事 What was done\n\n" + _done(parts.entries),
        "## 证据 Evidence\n\n" + _evidence(events),
        "## 配置变化 Config changes\n\n" + _code(parts.diff, "diff"),
        *_doctor(parts.doctor),
        *_last_words(parts.said_before),
        f"## 网关日志 Gateway log\n\n最后 {len(parts.said)} 行 · last lines\n\n"
        + _code("\n".join(parts.said)),
    ]
    return "\n\n".join(sections) + "\n"


def _doctor(lines: Sequence[str] | None) -> list[str]:
    if lines is None:
        return []
    text = "\n".join(mask_text(line) for line in lines) or "It said nothing."
    return ["## OpenClaw 自检 OpenClaw's own check\n\n`openclaw doctor --lint`\n\n" + _code(text)]


def _last_words(said: Sequence[Said]) -> list[str]:
    if not said:
        return []
    texts = [f"{_clock(words.at)}\n\n" + _code("\n".join(words.lines)) for words in said]
    return ["## 网关结束前的日志 Before it ended\n\n" + "\n\n".join(texts)]


def verdict_of(events: Sequence[HealEvent]) -> Verdict:
    """Return what was the matter: of a gateway that is well again, what it was before."""
    found = [event for event in events if event.kind in _FOUND]
    return (found or events)[-1].verdict


def _summary(node: str, events: Sequence[HealEvent], verdict: Verdict) -> str:
    first, last = events[0], events[-1]
    reason = next((event.reason for event in reversed(events) if event.kind in _FOUND), first.reason)
    rows = {
        "节点 Node": _inline(node),
        "判定 Verdict": f"`{verdict}` {ADVICE[verdict].name_zh}",
        "原因 Reason": _inline(reason),
        "开始 Began": _time(first),
        "状态 State": f"{_KINDS[last.kind]}, {_time(last)}" if last.kind in _OVER else "进行中 goes on",
        "修复次数 Repairs": str(max(event.attempt for event in events)),
        "发现用时 Seconds to detect": _latest(event.seconds_to_detect for event in events),
        "恢复用时 Seconds to recover": _latest(event.seconds_to_recover for event in events),
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _line(event: HealEvent) -> str:
    text = f"- {_time(event)} **{_KINDS[event.kind]}** `{event.verdict}`: {_inline(event.reason)}"
    if event.repair is not None:
        text += f" → {_span(event.repair)}: {_inline(event.outcome or '')}"
    return text


def _done(entries: Sequence[Entry]) -> str:
    repairs = [entry for entry in entries if entry.event.kind is EventKind.REPAIR]
    if not repairs:
        return "尚未修复。No repair was made."
    texts = []
    for entry in repairs:
        event = entry.event
        texts.append(f"{event.attempt}. {_span(event.repair or '')}: {_inline(event.outcome or '')}")
        if entry.lines:
            texts.append(_code("\n".join(mask_text(line) for line in entry.lines)))
    return "\n\n".join(texts)


def _evidence(events: Sequence[HealEvent]) -> str:
    first = next((event.evidence_before for event in events if event.evidence_before), None)
    last = next((e for e in reversed(events) if e.evidence_after or e.evidence_before), None)
    after = None if last is None else last.evidence_after or last.evidence_before
    texts = ["最初 At first:", _json(first)]
    if after is not None and after != first:
        texts += ["最近 Most recent:", _json(after)]
    return "\n\n".join(texts)


def _json(evidence: dict[str, Any] | None) -> str:
    return _code(mask_text(json.dumps(evidence, ensure_ascii=False, indent=2)), "json")


def _code(text: str, kind: str = "text") -> str:
    """Return a block that the text cannot end."""
    fence = "`" * max(3, _longest_ticks(text) + 1)
    return f"{fence}{kind}\n{text}\n{fence}"


def _span(text: str) -> str:
    """Return the same within a line; what holds backticks itself gets spaces that no viewer shows."""
    ticks = "`" * (_longest_ticks(text) + 1)
    line = " ".join(text.split()).replace("|", "\\|")
    return f"{ticks}{line}{ticks}" if len(ticks) == 1 else f"{ticks} {line} {ticks}"


def _longest_ticks(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


def _inline(text: str) -> str:
    """Return a text as one line that reads as it was said, without a secret."""
    line = html.escape(mask_text(" ".join(text.split())), quote=False)
    return _MARKUP.sub(r"\\\g<0>", line)


def _time(event: HealEvent) -> str:
    return _clock(event.at)


def _clock(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%SZ")


def _latest(values: Any) -> str:
    known = [value for value in values if value is not None]
    return f"{known[-1]:g}" if known else "–"
