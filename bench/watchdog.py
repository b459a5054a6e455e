"""What the watchdog costs while all is well, and how soon a gateway that was killed or frozen is back.

`python -m bench.watchdog [--seconds N] [--rounds N]` prints Markdown. The gateway is a real one; recovery is
given as a ratio to its own cold start, measured in the same run.
"""

import argparse
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path

import psutil

from bench.results import Result, keep
from openclaw_system import System, running_system
from real_openclaw import Generation

PATIENCE_SECONDS = 300
DEATH_SECONDS, HANG_SECONDS = 2.0, 15.0  # within which they are to be detected


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long to look at an idle watchdog")
    parser.add_argument("--rounds", type=int, default=3, help="of each fault, and of the cold start")
    options = parser.parse_args()
    settings = {"BUDDY_STEADY_SECONDS": "2"}
    with (
        tempfile.TemporaryDirectory() as folder,
        running_system(Generation.NEW, Path(folder), **settings) as system,
    ):
        cost(system, options.seconds)
        cold = statistics.median(cold_start(system) for _ in range(options.rounds))
        print(f"\nA cold start of OpenClaw {system.openclaw.found.version}: {cold:.1f} s (median).\n")
        print("| fault | detected after | ready after | of a cold start |")
        print("|---|---|---|---|")
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP):
            rounds = [fault(system, number) for _ in range(options.rounds)]
            detected, ready = (statistics.median(column) for column in zip(*rounds, strict=True))
            print(f"| {number.name} | {detected:.2f} s | {ready:.1f} s | {ready / cold:.2f} |")
            keep(Result(f"{number.name} to ready", "s", ready, cold, "cold start", at_most=1.2))
            limit = HANG_SECONDS if number is signal.SIGSTOP else DEATH_SECONDS
            keep(Result(f"{number.name} detected", "s", detected, limit, "limit", at_most=1))


def cost(system: System, seconds: float) -> None:
    """Print the watchdog's CPU and memory while it looks at a healthy gateway."""
    process = psutil.Process(system.buddy.children["watchdog"])
    before, began = process.cpu_times(), time.monotonic()
    time.sleep(seconds)
    after, lasted = process.cpu_times(), time.monotonic() - began
    used = (after.user + after.system) - (before.user + before.system)
    memory = process.memory_info().rss / (1024 * 1024)
    print(f"Idle for {lasted:.0f} s: {used / lasted * 100:.2f} % of a core, {memory:.0f} MB.")
    keep(Result("idle watchdog", "% of a core", used / lasted * 100, 1.0, "limit", at_most=1))


def cold_start(system: System) -> float:
    """Restart the gateway and return what its start took."""
    task = system.run("restart")
    if task["status"] != "Completed":
        raise RuntimeError(task)
    return float(task["result"]["startSeconds"])


def fault(system: System, number: signal.Signals) -> tuple[float, float]:
    """Send the signal to a ready gateway; return the seconds to its detection, and until one is ready."""
    buddy = system.buddy
    buddy.post("/v1/heal/circuit/close").raise_for_status()
    buddy.until(lambda: not buddy.get("/v1/heal/incidents", active="true").json()["data"], what="calm")
    (pid,) = system.gateway_pids()
    began, detected = time.monotonic(), 0.0
    os.kill(pid, number)
    while not _is_back(system, pid, resumed=number is signal.SIGSTOP and detected > 0):
        if not detected and buddy.status()["verdict"] not in {"ready", "safe_mode"}:
            detected = time.monotonic() - began
        if time.monotonic() - began > PATIENCE_SECONDS:
            raise TimeoutError(f"{number.name}: not ready again")
        time.sleep(0.05)
    ready = time.monotonic() - began
    buddy.until(lambda: system.is_ready() and buddy.status()["verdict"] == "ready", what="well again")
    return detected, ready


def _is_back(system: System, pid: int, *, resumed: bool) -> bool:
    """Whether another gateway is ready, or this one, where it was `resumed`."""
    pids = system.gateway_pids()
    if pids == [pid]:
        running = resumed and psutil.Process(pid).status() != psutil.STATUS_STOPPED
        return running and system.is_ready()
    return bool(pids) and system.is_ready()


if __name__ == "__main__":
    main()
