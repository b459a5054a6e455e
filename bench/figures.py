"""Keep the last table of all benchmarks, and put what matters most of it into both READMEs.

`python -m bench` first, then `python -m bench.figures`: `build/bench.md` becomes `docs/bench.md`, and
the blocks between the marks of the READMEs are written anew from that.
"""

import argparse
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.results import REPORT, ROOT

KEPT = ROOT / "docs" / "bench.md"
BEGIN, END = "<!-- from docs/bench.md: python -m bench.figures -->", "<!-- end of the figures -->"
_COLUMNS = 6


class FiguresError(Exception):
    """The report or a README is not what the figures can be taken from, or put into."""


@dataclass(frozen=True)
class Row:
    """A row of the report's first table, as it is printed there."""

    what: str
    ours: str
    theirs: str
    of: str
    ratio: str


@dataclass(frozen=True)
class Figure:
    """A row that the READMEs show, found by what it is and what it stands beside."""

    what: str
    of: str
    english: str
    chinese: str


FIGURES = (
    Figure(
        "sessions, p50",
        "`openclaw` command",
        "list of sessions; `openclaw sessions`",
        "会话列表；`openclaw sessions` 命令",
    ),
    Figure(
        "skills, p50",
        "`openclaw` command",
        "list of skills; `openclaw skills list`",
        "技能列表；`openclaw skills list` 命令",
    ),
    Figure(
        "skills, 1 client, p50",
        "same by RPC",
        "the same; the gateway asked by RPC",
        "技能列表；直接 RPC 询问网关",
    ),
    Figure(
        "skills, 32 clients, p50",
        "bare route",
        "the same, 32 clients at once; a bare route with one Redis GET",
        "技能列表，32 个并发客户端；只做一次 Redis GET 的裸路由",
    ),
    Figure(
        "sessions of the big roster, 32 clients, p99",
        "small roster",
        "1,000 sessions of 100 bots, p99; those of a small roster",
        "100 个机器人、1000 个会话，p99；小规模名册",
    ),
    Figure(
        "lists fresh after a start",
        "direct calls",
        "all lists fresh after a start; the direct calls",
        "网关启动后全部列表更新完毕；直接调用",
    ),
    Figure("job accepted, p50", "bare Celery", "job accepted; bare Celery", "任务受理；裸 Celery"),
    Figure("job started, p50", "bare Celery", "job started; bare Celery", "任务开始执行；裸 Celery"),
    Figure("proxy: small JSON", "nginx", "proxy, small JSON; nginx", "代理，小 JSON；nginx"),
    Figure(
        "proxy: added p50, SSE 20 x 100/s",
        "nginx",
        "proxy, what it adds to a piece of a stream; nginx",
        "代理，流式每段增加的延迟；nginx",
    ),
    Figure(
        "proxy: first byte of a chat",
        "gateway alone",
        "first byte of a chat; the gateway alone",
        "聊天首字节；仅网关",
    ),
    Figure(
        "SIGKILL to ready",
        "cold start",
        "gateway killed until it is ready again; a cold start",
        "网关被杀到恢复就绪；一次冷启动",
    ),
    Figure(
        "memory of all of Buddy, idle",
        "the gateway",
        "memory of all of Buddy, idle; the gateway",
        "Buddy 全部进程空闲内存；网关",
    ),
    Figure(
        "CPU of all of Buddy, idle",
        "the gateway",
        "CPU of all of Buddy, idle; the gateway",
        "Buddy 全部进程空闲 CPU；网关",
    ),
)
HEADS = {
    "README.md": ("what; what it stands beside", "Buddy", "that", "ratio"),
    "README.zh-CN.md": ("项目；参照对象", "Buddy", "参照", "比值"),
}


def rows(report: str) -> dict[tuple[str, str], Row]:
    """Return the rows of the report's table by what they are and what they stand beside."""
    found: dict[tuple[str, str], Row] = {}
    for line in report.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == _COLUMNS:
            row = Row(*cells[:5])
            found.setdefault((row.what, row.of), row)
    return found


def block(report: str, readme: str) -> str:
    """Return the table of a README.

    Raises:
        FiguresError: the report lacks a figure.
    """
    found = rows(report)
    head = HEADS[readme]
    lines = [f"| {' | '.join(head)} |", "|---|---|---|---|"]
    for figure in FIGURES:
        row = found.get((figure.what, figure.of))
        if row is None:
            raise FiguresError(f"the report has no row {figure.what!r} beside {figure.of!r}")
        told = figure.english if readme == "README.md" else figure.chinese
        lines.append(f"| {told} | {row.ours} | {row.theirs} | {row.ratio} |")
    return "\n".join(lines)


def filled(text: str, report: str, readme: str) -> str:
    """Return a README with its figures as the report has them.

    Raises:
        FiguresError: the README has no place for them, or the report lacks a figure.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise FiguresError(f"{readme} lacks {BEGIN!r} or {END!r}")
    return f"{before}{BEGIN}\n\n{block(report, readme)}\n\n{END}{after}"


def main() -> None:
    """Keep the report, and write the READMEs."""
    parser = argparse.ArgumentParser(prog="python -m bench.figures", description=__doc__)
    parser.add_argument("--report", type=Path, default=REPORT, help=f"default: {REPORT.relative_to(ROOT)}")
    options = parser.parse_args()
    try:
        report = options.report.read_text()
        texts = {ROOT / name: filled((ROOT / name).read_text(), report, name) for name in HEADS}
    except (OSError, FiguresError) as exc:
        sys.exit(f"{exc}. Run `make bench` first.")
    shutil.copyfile(options.report, KEPT)
    for file, text in texts.items():
        file.write_text(text)


if __name__ == "__main__":
    main()
