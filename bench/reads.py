"""How fast lists are answered, beside a bare route, the gateway's own RPC and the `openclaw` command.

`python -m bench.reads [--requests N] [--commands N]` prints Markdown tables. One real gateway with three bots
and two providers, one run; the bare route (`bench.bare`) does one Redis GET of the same bytes, in a process
of its own.
"""

import argparse
import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import astuple
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import redis

from bench.http_load import Load, load
from bench.results import Result, keep
from buddy_common.adapters.gateway_device import load_device
from buddy_common.adapters.gateway_rpc import GatewayConnection, open_gateway
from e2e.machine import until
from fakes.ports import free_port
from openclaw_system import System, running_system
from real_openclaw import Generation
from rich_system import LISTS as PATHS
from rich_system import add_bots_and_a_provider

# route, the gateway's methods that it stands for, the command for the same
LISTS: list[tuple[str, list[tuple[str, dict[str, Any]]], list[str]]] = [
    ("bots-models", [("agents.list", {}), ("models.list", {"agentId": "main"})], ["agents", "list"]),
    ("models/config", [("config.get", {})], ["config", "get", "models"]),
    ("skills", [("skills.status", {"agentId": "main"})], ["skills", "list", "--agent", "main"]),
    ("plugins", [("plugins.list", {})], ["plugins", "list"]),
    ("sessions", [("sessions.list", {"limit": 1000})], ["sessions", "--all-agents"]),
    ("bots/top", [("sessions.list", {"limit": 1000})], ["sessions", "--all-agents"]),
    ("chat/status", [("config.get", {})], ["config", "get", "gateway.http"]),
]
CLIENTS = (1, 32)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--commands", type=int, default=2)
    parser.add_argument("--restarts", type=int, default=3)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_system(Generation.NEW, Path(folder)) as system,
        bare_server(system.buddy.machine.broker_url) as bare_url,
    ):
        system.ensure_stopped()
        system.openclaw.edit(lambda config: add_bots_and_a_provider(config, new=True))
        system.ensure_running()
        for user in range(5):
            chat(system, f"user-{user}")
        system.buddy.get("/v1/openclaw/sessions", refresh="true")
        system.buddy.until(
            lambda: system.buddy.get("/v1/capabilities").json()["data"]["stale"] is False, what="fresh lists"
        )
        for _ in range(options.restarts):
            asyncio.run(measure_recovery(system))
        asyncio.run(measure(system, bare_url, options.requests))
        print_commands(system, options.commands)


async def measure(system: System, bare_url: str, requests: int) -> None:
    """Measure all lists over HTTP and by RPC."""
    token, base = system.buddy.token, f"{system.buddy.url}/v1/openclaw"
    print(
        "| list | clients | Buddy p50, ms | p99 | req/s | bare p50 | p99 | req/s | p50 : bare"
        " | RPC p50 | Buddy : RPC |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    async with gateway(system) as connection:
        for name, methods, _ in LISTS:
            body = (await asyncio.to_thread(system.buddy.get, f"/v1/openclaw/{name}")).content
            publish_bare(system, "small", body)
            direct = await rpc_ms(connection, methods)
            for clients in CLIENTS:
                ours, bare = await both(f"{base}/{name}", f"{bare_url}/small", token, clients, requests)
                print(
                    f"| {name} ({len(body) / 1024:.1f} KB) | {clients} |"
                    f" {ours.p50:.2f} | {ours.p99:.2f} | {ours.per_second:.0f} |"
                    f" {bare.p50:.2f} | {bare.p99:.2f} | {bare.per_second:.0f} | {ours.p50 / bare.p50:.2f} |"
                    f" {direct:.2f} | {ours.p50 / direct:.2f} |"
                )
                what = f"{name}, {clients} client{'s' if clients > 1 else ''}, p50"
                keep(Result(what, "ms", ours.p50, bare.p50, "bare route", at_most=3))
                if clients == 1:
                    keep(Result(what, "ms", ours.p50, direct, "same by RPC", at_most=1))


async def measure_recovery(system: System) -> None:
    """Kill the gateway; from the moment when a new one is ready: direct calls, and lists that are fresh."""
    os.kill(system.ensure_running(), signal.SIGKILL)
    await asyncio.to_thread(system.buddy.until, lambda: all(staleness(system)), what="stale lists")
    await asyncio.to_thread(system.buddy.submit, "/v1/gateway/start")
    fresh = asyncio.create_task(asyncio.to_thread(moment_of, lambda: not any(staleness(system))))
    ready = await asyncio.to_thread(moment_of, system.is_ready)
    async with gateway(system) as connection:
        for _, methods, _ in LISTS:
            for method, params in methods:
                await connection.call(method, params, seconds=60)
    direct = time.monotonic() - ready
    ours = await fresh - ready
    print(
        f"\nGateway ready again: direct calls done after {direct:.2f} s, all lists fresh after {ours:.2f} s"
    )
    keep(Result("lists fresh after a start", "s", ours, direct, "direct calls", at_most=1.5))


def staleness(system: System) -> Iterator[bool]:
    """Yield of each list whether it is out of date: one that is not comes of a gateway that runs."""
    for path in PATHS:
        yield system.buddy.get(path).json()["data"]["stale"]


def moment_of(condition: Callable[[], bool]) -> float:
    """Return when a condition was met (monotonic)."""
    until(condition, seconds=300, what="fresh lists")
    return time.monotonic()


async def both(
    one: str, other: str, token: str, clients: int, requests: int, *, coding: str = "identity"
) -> tuple[Load, Load]:
    """Measure two addresses in turns, so that other work hits both; return the middle of three of each."""
    ones, others = [], []
    measure_one = partial(load, token=token, clients=clients, requests=requests // 3, coding=coding)
    for _ in range(3):
        ones.append(await measure_one(one))
        others.append(await measure_one(other))
    return middle(ones), middle(others)


def middle(rounds: list[Load]) -> Load:
    """Return the median of each figure: one pause of the machine spoils a p99, hardly two of three."""
    return Load(*(statistics.median(figures) for figures in zip(*map(astuple, rounds), strict=True)))


async def rpc_ms(
    connection: GatewayConnection, methods: list[tuple[str, dict[str, Any]]], *, rounds: int = 50
) -> float:
    """Return the median time of the calls that a list stands for, in ms."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        for method, params in methods:
            await connection.call(method, params, seconds=60)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


@asynccontextmanager
async def gateway(system: System) -> AsyncIterator[GatewayConnection]:
    """Connect to the gateway as Buddy does."""
    device = load_device(system.buddy.machine.home / "nodes" / "local" / "device.key")
    openclaw = system.openclaw
    async with open_gateway(
        openclaw.port, token=openclaw.token, device=device, on_event=lambda *_: None
    ) as connection:
        listening = asyncio.create_task(connection.listen())
        yield connection
        listening.cancel()


def print_commands(system: System, rounds: int) -> None:
    """Print what the command line takes for the same lists, and how often Buddy is faster."""
    print("\n| list | `openclaw` command, ms | Buddy p50 at 1 client, ms | command : Buddy |")
    print("|---|---|---|---|")
    token, base = system.buddy.token, f"{system.buddy.url}/v1/openclaw"
    for name, _, command in LISTS:
        times = [command_ms(system, command) for _ in range(rounds)]
        ours = asyncio.run(load(f"{base}/{name}?node=local", token=token, clients=1, requests=200))
        shown = statistics.median(times)
        print(
            f"| {name} (`{' '.join(command[:2])}`) | {shown:.0f} | {ours.p50:.2f} | {shown / ours.p50:.0f} |"
        )
        keep(Result(f"{name}, p50", "ms", ours.p50, shown, "`openclaw` command", at_most=1 / 500))


def command_ms(system: System, command: list[str]) -> float:
    """Run a command once."""
    found = system.openclaw.found
    environment = os.environ | {
        "PATH": found.search_path,
        "OPENCLAW_STATE_DIR": str(system.openclaw.config_dir),
        "OPENCLAW_CONFIG_PATH": str(system.openclaw.config_file),
    }
    began = time.perf_counter()
    subprocess.run(
        [found.path, *command, "--json"], env=environment, check=True, capture_output=True, timeout=120
    )
    return (time.perf_counter() - began) * 1000


def chat(system: System, user: str) -> None:
    """Make a session."""
    openclaw = system.openclaw
    question = {"model": "openclaw/main", "user": user, "messages": [{"role": "user", "content": "Hello"}]}
    headers = {"Authorization": f"Bearer {openclaw.token}"}
    url = f"http://127.0.0.1:{openclaw.port}/v1/chat/completions"
    httpx.post(url, json=question, headers=headers, timeout=120, trust_env=False).raise_for_status()


def publish_bare(system: System, key: str, body: bytes) -> None:
    """Give the bare route the same bytes."""
    with redis.Redis.from_url(system.buddy.machine.broker_url) as client:
        client.set(f"bench:{key}", body)


@contextmanager
def bare_server(broker_url: str) -> Iterator[str]:
    """Run the bare route."""
    port = free_port()
    environment = os.environ | {"BENCH_BROKER": broker_url, "BENCH_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "bench.bare"], env=environment)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/openapi.json", timeout=5, trust_env=False).status_code > 0
        except httpx.HTTPError:
            return False

    try:
        until(answers, seconds=30, what="the bare route")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)


if __name__ == "__main__":
    main()
