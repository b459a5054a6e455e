"""What the faults took, as a table: a figure in a document comes from here."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

# `make faults` keeps it there; it is fit to be copied into docs/
FILE = Path(os.environ.get("BUDDY_FAULT_LEDGER", "build/faults.md"))


@dataclass
class Row:
    """One fault: seconds from the fault to its detection, and to a gateway that is ready again.

    `started`: how long the last start of it took, of which nothing is up to us.
    """

    fault: str
    verdict: str
    repairs: str
    detected: float | None = None
    recovered: float | None = None
    started: float | None = None


@dataclass
class Ledger:
    """All faults of one run, beside the gateway's own cold start."""

    version: str
    cold_start_seconds: float
    rows: list[Row] = field(default_factory=list)
    gaps: dict[str, str] = field(default_factory=dict)

    def lacks(self, fault: str, reason: str) -> None:
        """Note what could not be tried here, and why."""
        self.gaps[fault] = reason

    def write(self) -> None:
        """Write the table."""
        FILE.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            "# What faults take",
            "",
            "Written by `make faults`: the real gateway is broken in each of these ways, and the watchdog",
            "is left alone with it.",
            "",
            (
                f"OpenClaw {self.version}, {time.strftime('%Y-%m-%d')}, load {os.getloadavg()[0]:.1f}, "
                f"{os.cpu_count()} cores; a cold start of the gateway took {self.cold_start_seconds:.1f} s."
            ),
            "",
            "| fault | verdict | repairs | detected after | ready after | of a cold start | its own start |",
            "|---|---|---|---|---|---|---|",
            *(self._line(row) for row in self.rows),
            *(f"| {fault} | not tested: {reason} | | | | | |" for fault, reason in self.gaps.items()),
        ]
        FILE.write_text("\n".join(lines) + "\n")

    def _line(self, row: Row) -> str:
        share = "" if row.recovered is None else f"{row.recovered / self.cold_start_seconds:.2f}"
        times = [_seconds(row.detected), _seconds(row.recovered), share, _seconds(row.started)]
        return f"| {' | '.join([row.fault, row.verdict, row.repairs, *times])} |"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"
