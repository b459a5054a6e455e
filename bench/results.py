"""The rows of the one table that `python -m bench` makes of all benchmarks."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "build" / "bench.md"
ROWS_FILE = "BENCH_ROWS"


@dataclass(frozen=True)
class Result:
    """A figure beside the figure of its reference, both of one run."""

    what: str
    unit: str
    ours: float
    reference: float
    of: str  # what the reference is
    at_most: float | None = None  # the ratio that is wanted
    at_least: float | None = None

    @property
    def ratio(self) -> float:
        """Ours divided by the reference."""
        return self.ours / self.reference

    @property
    def is_met(self) -> bool:
        """Whether the ratio is what is wanted of it."""
        return (self.at_most is None or self.ratio <= self.at_most) and (
            self.at_least is None or self.ratio >= self.at_least
        )

    @property
    def wanted(self) -> str:
        """What is wanted of the ratio, and whether it is met."""
        bounds = [f"≤ {self.at_most:g}"] if self.at_most is not None else []
        bounds += [f"≥ {self.at_least:g}"] if self.at_least is not None else []
        return f"{', '.join(bounds)} {'✓' if self.is_met else '✗'}" if bounds else ""


def keep(result: Result) -> None:
    """Hand a row to the run that this benchmark is part of, if it is part of one."""
    if file := os.environ.get(ROWS_FILE):
        with Path(file).open("a") as rows:
            rows.write(json.dumps(asdict(result)) + "\n")


def kept(file: Path) -> list[Result]:
    """Return the rows that were handed over."""
    if not file.exists():
        return []
    return [Result(**json.loads(line)) for line in file.read_text().splitlines()]


def count_missed(results: Iterable[Result]) -> tuple[int, int]:
    """Return how many targets are missed, of how many."""
    targets = [result.is_met for result in results if result.wanted]
    return targets.count(False), len(targets)


def table(results: Iterable[Result]) -> str:
    """Return the rows as Markdown."""
    lines = ["| what | ours | reference | | ratio | wanted |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {row.what} | {number(row.ours)} {row.unit} | {number(row.reference)} {row.unit} | {row.of} |"
        f" {ratio(row.ratio)} | {row.wanted} |"
        for row in results
    ]
    return "\n".join(lines)


def number(value: float) -> str:
    """Return a figure with as many digits as it deserves."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def ratio(value: float) -> str:
    """Return a ratio with at least two digits that tell something."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"
