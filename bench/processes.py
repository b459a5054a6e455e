"""What each process of a whole system and its descendants need, idle and under load: memory and CPU.

`python -m bench.processes [--seconds N]` prints a Markdown table. The load: 16 clients that read lists, four
that chat through the proxy with a stand-in for the model, one that has a job run after the other. The gateway
is a real one.
"""

import argparse
import asyncio
import contextlib
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from bench.http_load import load
from bench.results import Result, keep
from openclaw_system import QUESTION, System, running_system
from real_openclaw import Generation

READERS, CHATTERS = 16, 4
REQUESTS = 160
CALL_SECONDS = 120.0
SUPERVISOR, GATEWAY = "buddy up", "openclaw"


@dataclass(frozen=True)
class Need:
    """What a process needs: memory in MB, CPU in % of a core."""

    memory: float
    cpu: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each half")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_system(Generation.NEW, Path(folder)) as system:
        asyncio.run(measure(system, options.seconds))


async def measure(system: System, seconds: float) -> None:
    """Print what the processes need, first idle and then under load."""
    await asyncio.to_thread(chat, system)  # the first one has the gateway load what it needs
    roots = named(system)
    print(f"{seconds:.0f} s idle, then {seconds:.0f} s under load; memory as PSS in MB, CPU in % of a core\n")
    print("| process | idle, MB | CPU |\n|---|---|---|", flush=True)
    idle = await cost(roots, lambda: asyncio.sleep(seconds))
    for name, need in idle.items():
        print(f"| {name} | {need.memory:.0f} | {need.cpu:.1f} % |", flush=True)
    busy = await cost(roots, lambda: work(system, seconds))
    print("\n| process | under load, MB | CPU |\n|---|---|---|")
    for name, need in busy.items():
        print(f"| {name} | {need.memory:.0f} | {need.cpu:.1f} % |")
        keep(Result(f"memory of {name} under load", "MB", need.memory, idle[name].memory, "idle"))
        keep(Result(f"CPU of {name} under load", "% of a core", need.cpu, busy[GATEWAY].cpu, "the gateway"))
    for what, found in (("idle", idle), ("under load", busy)):
        ours, gateway = of_all(found), found[GATEWAY]
        keep(Result(f"memory of all of Buddy, {what}", "MB", ours.memory, gateway.memory, "the gateway"))
        keep(Result(f"CPU of all of Buddy, {what}", "% of a core", ours.cpu, gateway.cpu, "the gateway"))
        print(f"\nAll of ours, {what}: {ours.memory:.0f} MB, {ours.cpu:.1f} % of a core.")


def named(system: System) -> dict[str, psutil.Process]:
    """Return the processes by name, the supervisor first and the gateway last."""
    buddy = system.buddy
    (gateway,) = system.gateway_pids()
    pids = {SUPERVISOR: buddy.process.pid, **buddy.children, GATEWAY: gateway}
    return {name: psutil.Process(pid) for name, pid in pids.items()}


async def cost(roots: dict[str, psutil.Process], during: Callable[[], Awaitable[None]]) -> dict[str, Need]:
    """Return what each process and its descendants hold afterwards, and used meanwhile."""
    before, began = {name: used(members) for name, members in families(roots).items()}, time.monotonic()
    await during()
    lasted = time.monotonic() - began
    return {
        name: Need(held(members), (used(members) - before[name]) / lasted * 100)
        for name, members in families(roots).items()
    }


def of_all(needs: dict[str, Need]) -> Need:
    """Return what all but the gateway need together."""
    ours = [need for name, need in needs.items() if name != GATEWAY]
    return Need(sum(need.memory for need in ours), sum(need.cpu for need in ours))


def families(roots: dict[str, psutil.Process]) -> dict[str, list[psutil.Process]]:
    """Return each process with its descendants; those that are listed by themselves count there alone.

    All services descend from the supervisor, and the gateway from the worker that started it.
    """
    gateway = [roots[GATEWAY], *roots[GATEWAY].children(recursive=True)]
    found = {SUPERVISOR: [roots[SUPERVISOR]], GATEWAY: gateway}
    return {
        name: found.get(name)
        or [root, *(child for child in root.children(recursive=True) if child not in gateway)]
        for name, root in roots.items()
    }


def held(processes: list[psutil.Process]) -> float:
    """Return the MB that they hold together, each page that they share counted once (PSS)."""
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss
    return total / 2**20


def used(processes: list[psutil.Process]) -> float:
    """Return the CPU seconds so far, those of their ended children included."""
    spent = 0.0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            spent += sum(process.cpu_times()[:4])  # user, system, and both of the children
    return spent


async def work(system: System, seconds: float) -> None:
    """Keep everybody busy for so long."""
    end = time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        group.create_task(read(system, end))
        for _ in range(CHATTERS):
            group.create_task(again(lambda: chat(system), end))
        group.create_task(again(lambda: back_up(system), end))


async def read(system: System, end: float) -> None:
    """Ask for lists."""
    base = f"{system.buddy.url}/v1/openclaw"
    while time.monotonic() < end:
        for name in ("bots-models", "sessions", "skills", "models/config"):
            await load(f"{base}/{name}", token=system.buddy.token, clients=READERS, requests=REQUESTS)
            await asyncio.sleep(0.1)


async def again(action: Callable[[], None], end: float) -> None:
    """Do the same again and again."""
    while time.monotonic() < end:
        await asyncio.to_thread(action)


def chat(system: System) -> None:
    """Ask a question through the proxy and read the whole answer."""
    body = {"model": "openclaw", "stream": True, "messages": [{"role": "user", "content": QUESTION}]}
    url = f"{system.buddy.url}/v1/openclaw/chat/completions"
    headers = {"Authorization": f"Bearer {system.buddy.token}"}
    with httpx.stream(
        "POST", url, json=body, headers=headers, timeout=CALL_SECONDS, trust_env=False
    ) as answer:
        answer.raise_for_status()
        if "[DONE]" not in answer.read().decode():
            raise RuntimeError("a chat was cut")


def back_up(system: System) -> None:
    """Have a job run to its end."""
    task = system.buddy.finish("/v1/heal/backups")
    if task["status"] != "Completed":
        raise RuntimeError(task)


if __name__ == "__main__":
    main()
