"""The whole system at work, with the real gateway and nothing wrong: the watchdog must have nothing to do.

`make soak` (30 minutes; `make soak ARGS="--minutes 2"` for less) reads, chats and makes changes that restart
the gateway on purpose, prints a table, and fails when anything was repaired, when there was an incident, or
when the watchdog has grown or ended.
"""

import argparse
import asyncio
import itertools
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil

from e2e.load import client_of, finished
from openclaw_system import QUESTION, START_SECONDS, System, running_system
from real_openclaw import Generation
from rich_system import LISTS

READS = (*LISTS, "/v1/openclaw/status", "/v1/system/info", "/v1/heal/events", "/v1/stats/health", "/health")
CHANGES: tuple[tuple[str, dict[str, Any] | None], ...] = (
    ("/v1/gateway/restart", None),
    ("/v1/openclaw/plugins/disable", {"id": "telegram"}),
    ("/v1/heal/backups", None),
    ("/v1/openclaw/plugins/enable", {"id": "telegram"}),
    ("/v1/openclaw/chat/enable", None),
)
READERS = 4
READ_PAUSE, CHAT_PAUSE, CHANGE_PAUSE, LOOK_PAUSE = 0.5, 5.0, 20.0, 2.0
# between the second and the last quarter; what Python keeps for later comes and goes by 2 or 3
GROWTH_MEGABYTES = 8.0
SERVER_ERROR = 500


@dataclass
class Tally:
    """What was done, and what it came to."""

    began: float = field(default_factory=time.monotonic)
    reads: list[float] = field(default_factory=list)
    read_answers: Counter[int] = field(default_factory=Counter)
    chats: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    watchdog_megabytes: list[float] = field(default_factory=list)
    watchdog_pids: set[int] = field(default_factory=set)

    def growth(self) -> float:
        """Return by how much the watchdog has grown, once it had warmed up."""
        quarter = max(1, len(self.watchdog_megabytes) // 4)
        second = self.watchdog_megabytes[quarter : 2 * quarter] or self.watchdog_megabytes
        return statistics.median(self.watchdog_megabytes[-quarter:]) - statistics.median(second)


async def soak(system: System, seconds: float) -> Tally:
    """Do everything at once for so long, and return what came of it."""
    tally = Tally()
    end = tally.began + seconds
    async with client_of(system.buddy) as client:
        paths = itertools.cycle(READS)
        changes = itertools.cycle(CHANGES)
        async with asyncio.TaskGroup() as group:
            for _ in range(READERS):
                group.create_task(_again(end, READ_PAUSE, lambda: _read(client, next(paths), tally)))
            group.create_task(_again(end, CHAT_PAUSE, lambda: _chat(client, tally)))
            group.create_task(_again(end, CHANGE_PAUSE, lambda: _change(client, next(changes), tally)))
            group.create_task(_again(end, LOOK_PAUSE, lambda: _look(system, tally)))
    return tally


async def _again(end: float, pause: float, act: Callable[[], Awaitable[None]]) -> None:
    while time.monotonic() < end:
        await act()
        await asyncio.sleep(pause)


async def _read(client: httpx.AsyncClient, path: str, tally: Tally) -> None:
    began = time.monotonic()
    answer = await client.get(path)
    tally.reads.append(time.monotonic() - began)
    tally.read_answers[answer.status_code] += 1
    if answer.status_code >= SERVER_ERROR:
        tally.problems.append(f"GET {path}: {answer.status_code} {answer.text[:200]}")


async def _chat(client: httpx.AsyncClient, tally: Tally) -> None:
    """Chat through Buddy; while the gateway is away on purpose there is nobody to answer."""
    question = {"model": "openclaw", "messages": [{"role": "user", "content": QUESTION}], "stream": True}
    try:
        answer = await client.post("/v1/openclaw/chat/completions", json=question)
    except httpx.HTTPError as exc:
        tally.chats[type(exc).__name__] += 1
        return
    whole = answer.status_code == httpx.codes.OK and "[DONE]" in answer.text and "error" not in answer.text
    tally.chats["whole" if whole else f"{answer.status_code}, not whole"] += 1


async def _change(client: httpx.AsyncClient, change: tuple[str, dict[str, Any] | None], tally: Tally) -> None:
    path, body = change
    answer = await client.post(path, json=body, headers={"Prefer": "respond-async"})
    if answer.status_code != httpx.codes.ACCEPTED:
        tally.problems.append(f"POST {path}: {answer.status_code} {answer.text[:200]}")
        return
    task = await finished(client, answer.json()["data"]["taskID"])
    tally.changes[f"{path}: {task['status']}"] += 1
    if task["status"] != "Completed":
        tally.problems.append(f"POST {path}: {task['error']}")


async def _look(system: System, tally: Tally) -> None:
    pid = system.buddy.children["watchdog"]
    tally.watchdog_pids.add(pid)
    memory = psutil.Process(pid).memory_info().rss / (1024 * 1024)
    tally.watchdog_megabytes.append(memory)


def judge(system: System, tally: Tally, since: str) -> list[str]:
    """Return what must not have been."""
    system.buddy.until(
        lambda: system.buddy.status()["verdict"] == "ready", what="ready in the end", seconds=START_SECONDS
    )
    problems = list(tally.problems)
    events = system.buddy.get("/v1/heal/events", since=since, limit="200").json()["data"]
    problems += [f"{event['kind']} {event['verdict']}: {event['reason']}" for event in events]
    if len(tally.watchdog_pids) != 1:
        problems.append(f"the watchdog was started anew: {sorted(tally.watchdog_pids)}")
    if tally.growth() > GROWTH_MEGABYTES:
        problems.append(f"the watchdog has grown by {tally.growth():.1f} MB")
    if not tally.chats["whole"] or not any("restart" in change for change in tally.changes):
        problems.append("there was no load: no whole chat, or no restart")
    return problems


def show(tally: Tally, events: int) -> None:
    """Print the table."""
    median, worst = statistics.median(tally.reads), max(tally.reads)
    memory = tally.watchdog_megabytes
    rows = {
        "lasted": f"{(time.monotonic() - tally.began) / 60:.1f} min",
        "reads": f"{len(tally.reads)}, median {median * 1000:.0f} ms, worst {worst * 1000:.0f} ms",
        "answers to reads": ", ".join(f"{code}: {n}" for code, n in sorted(tally.read_answers.items())),
        "chats": ", ".join(f"{what}: {n}" for what, n in tally.chats.items()),
        **{f"`{change}`": str(n) for change, n in sorted(tally.changes.items())},
        "watchdog": f"{memory[0]:.1f} MB at first, {memory[-1]:.1f} at last, {max(memory):.1f} at most",
        "its growth after a warm-up": f"{tally.growth():+.1f} MB",
        "repairs and incidents": str(events),
    }
    lines = [
        "",
        "| what | came to |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows.items()),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def main() -> None:
    """Soak, print, and say what must not have been.

    Raises:
        SystemExit: there was something.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    minutes = parser.parse_args().minutes
    with (
        tempfile.TemporaryDirectory() as folder,
        running_system(Generation.NEW, Path(folder)) as system,
    ):
        system.buddy.until(lambda: system.buddy.status()["verdict"] == "ready", what="ready")
        since = datetime.now(UTC).isoformat()
        tally = asyncio.run(soak(system, minutes * 60))
        problems = judge(system, tally, since)
        events = system.buddy.get("/v1/heal/events", since=since, limit="200").json()["data"]
        show(tally, len(events))
    if problems:
        sys.exit("\n".join(["", "What must not have been:", *problems]))


if __name__ == "__main__":
    main()
