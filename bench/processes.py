"""What each process of a whole system needs, idle and under load: memory and CPU.

`python -m bench.processes [--seconds N]` prints a Markdown table. The load: 16 clients that read lists, four
that chat through the proxy with a stand-in for the model, one that has a job run after the other. The gateway
is a real one.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import psutil

from bench.http_load import load
from openclaw_system import QUESTION, System, running_system
from real_openclaw import Generation

READERS, CHATTERS = 16, 4
REQUESTS = 160
CALL_SECONDS = 120.0


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
    processes = named(system)
    idle = await cost(processes, lambda: asyncio.sleep(seconds))
    print(f"{seconds:.0f} s idle, then {seconds:.0f} s under load; CPU in % of a core\n")
    busy = await cost(processes, lambda: work(system, seconds))
    print("| process | idle, MB | CPU | under load, MB | CPU |\n|---|---|---|---|---|")
    for name, (memory, cpu) in idle.items():
        print(f"| {name} | {memory:.0f} | {cpu:.1f} % | {busy[name][0]:.0f} | {busy[name][1]:.1f} % |")
    for what, found in (("idle", idle), ("under load", busy)):
        ours = [value for name, value in found.items() if name != "openclaw"]
        memory, cpu = (sum(column) for column in zip(*ours, strict=True))
        print(f"\nAll of ours, {what}: {memory:.0f} MB, {cpu:.1f} % of a core.")


def named(system: System) -> dict[str, psutil.Process]:
    """Return the processes by name; the last is the gateway."""
    buddy = system.buddy
    (gateway,) = system.gateway_pids()
    pids = {"buddy up": buddy.process.pid, **buddy.children, "openclaw": gateway}
    return {name: psutil.Process(pid) for name, pid in pids.items()}


async def cost(
    processes: dict[str, psutil.Process], during: Callable[[], Awaitable[None]]
) -> dict[str, tuple[float, float]]:
    """Return memory in MB afterwards, and CPU in % of a core meanwhile, of each process."""
    before, began = {name: used(process) for name, process in processes.items()}, time.monotonic()
    await during()
    lasted = time.monotonic() - began
    return {
        name: (process.memory_info().rss / 2**20, (used(process) - before[name]) / lasted * 100)
        for name, process in processes.items()
    }


def used(process: psutil.Process) -> float:
    """Return the CPU seconds so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


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
