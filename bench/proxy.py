"""What the proxy costs, beside nginx in front of the same upstream, and beside the upstream alone.

`python -m bench.proxy [--seconds S]` prints Markdown tables of one run. nginx is Debian's, with one worker,
keep-alive to the upstream and `proxy_buffering off`. `--gateway` adds the time to the first word of a chat
through the real gateway, with the proxy and without. Everything shares the machine's cores, so only the
ratios mean anything.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import uvloop

from bench.proxy_loads import CHAT, TOKEN, Place, download, echoes, paced, saturated, small_json
from bench.results import Result, keep
from buddy_common.db.engine import open_engine
from buddy_common.db.migrate import upgrade
from fakes.ports import free_port
from openclaw_system import QUESTION, running_system
from real_openclaw import Generation

ROUNDS = 3  # all three in turn, and the median of each: others use this machine as well
NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; keepalive_requests 1000000;
  upstream up {{ server 127.0.0.1:{upstream}; keepalive 128; keepalive_requests 1000000; }}
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  server {{
    listen 127.0.0.1:{port};
    proxy_http_version 1.1; proxy_buffering off; proxy_read_timeout 300s;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
    proxy_set_header Host 127.0.0.1;
    location /v1/proxy/ {{ proxy_pass http://up/; }}
    location {chat} {{ proxy_pass http://up/v1/chat/completions; }}
  }}
}}
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--gateway", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        places = start(Path(name), stack)
        uvloop.run(measure(places, options.seconds))
    if options.gateway:
        first_words()


def start(folder: Path, stack: ExitStack) -> list[Place]:
    """Start upstream, nginx and proxy."""
    upstream, nginx, proxy = free_port(), free_port(), free_port()
    python = [sys.executable, "-m"]
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise SystemExit("nginx is the reference, and is not there: `apt-get install nginx-light`.")
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, upstream=upstream, port=nginx, chat=CHAT))
    engine = open_engine(f"sqlite:///{folder}/buddy.db")
    upgrade(engine)
    engine.dispose()
    commands = {
        "upstream": ([*python, "bench.stream_upstream", str(upstream)], upstream),
        "nginx": ([program, "-p", str(folder), "-c", str(config)], nginx),
        "proxy": ([*python, "bench.stream_server", str(proxy), str(upstream), str(folder)], proxy),
    }
    environment = os.environ | {
        "BUDDY_TOKEN": TOKEN,
        "BUDDY_HOME": str(folder),
        "BUDDY_REDIS_URL": "redis://127.0.0.1:1",  # asked only by who guesses the token
    }
    return [
        Place(name, port, stack.enter_context(running(command, port, environment)))
        for name, (command, port) in commands.items()
    ]


@contextmanager
def running(command: list[str], port: int, environment: dict[str, str]) -> Iterator[psutil.Process]:
    """Run a server; it listens when the block begins."""
    process = subprocess.Popen(command, env=environment, cwd=Path(__file__).parents[1])
    try:
        deadline = time.monotonic() + 30
        while not listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command} does not listen")
            time.sleep(0.1)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=15)


def listens(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False, timeout=2)
    except httpx.TransportError:
        return False
    return True


async def measure(places: list[Place], seconds: float) -> None:
    """Run every load against each place, and print a row for each."""
    print("| | " + " | ".join(place.name for place in places) + " | proxy / nginx |")
    print("|---|---|---|---|---|")
    await row("small JSON, req/s", places, lambda place: small_json(place, seconds), 0.15)
    for streams in (20, 50):
        await latencies(places, streams=streams, seconds=seconds)
    await row("SSE saturated, chunks/s (32 streams)", places, saturated, 0.7)
    await row("20 MB download, MB/s", places, download)
    await row("WebSocket echo, echoes/s (32 sockets)", places, lambda place: echoes(place, seconds), 0.28)


async def row(name: str, places: list[Place], load_one: Any, at_least: float | None = None) -> None:
    """Print a row of rates; `at_least`: what is wanted of nginx's."""
    rounds = [[await load_one(place) for place in places] for _ in range(ROUNDS)]
    rates = [statistics.median(found) for found in zip(*rounds, strict=True)]
    cells = " | ".join(f"{rate:,.0f}" for rate in rates)
    print(f"| {name} | {cells} | **{rates[2] / rates[1]:.2f}** |", flush=True)
    what, _, unit = name.partition(", ")
    keep(Result(f"proxy: {what}", unit, rates[2], rates[1], "nginx", at_least=at_least))


async def latencies(places: list[Place], *, streams: int, seconds: float) -> None:
    """Print how long a chunk takes at a rate that saturates nobody."""
    rounds = [[await pace(place, streams, seconds) for place in places] for _ in range(ROUNDS)]
    found = [
        tuple(map(statistics.median, zip(*of_place, strict=True))) for of_place in zip(*rounds, strict=True)
    ]
    cells = " | ".join(f"{p50:.2f} / {p99:.1f} ({cpu:.0f})" for p50, p99, cpu in found)
    direct = found[0][0]
    theirs, ours = max(found[1][0] - direct, 1e-9), found[2][0] - direct
    keep(Result(f"proxy: added p50, SSE {streams} x 100/s", "ms", ours, theirs, "nginx", at_most=2))
    print(
        f"| SSE {streams} x 100/s, p50 / p99 ms (CPU us) | {cells} | **{ours / theirs:.2f}** (added p50) |",
        flush=True,
    )


async def pace(place: Place, streams: int, seconds: float) -> tuple[float, float, float]:
    """Return p50 and p99 of a chunk's way in ms, and what each costs the place, in µs of CPU time."""
    before = place.cpu()
    times = sorted(await paced(place, streams=streams, chunks=int(100 * seconds)))
    cpu = (place.cpu() - before) / len(times) * 1e6
    return statistics.median(times), times[int(len(times) * 0.99)], cpu


def first_words() -> None:
    """Print how long the first word of a chat takes through the real gateway."""
    with tempfile.TemporaryDirectory() as folder, running_system(Generation.NEW, Path(folder)) as system:
        direct = f"http://127.0.0.1:{system.openclaw.port}/v1/chat/completions"
        ours = f"{system.buddy.url}{CHAT}"
        times: dict[str, list[float]] = {direct: [], ours: []}
        for _ in range(12):
            times[direct].append(first_word(direct, system.openclaw.token))
            times[ours].append(first_word(ours, system.buddy.token))
    medians = [statistics.median(found[2:]) * 1000 for found in (times[direct], times[ours])]
    print("\n| first byte of a chat, ms | gateway alone | through the proxy |\n|---|---|---|")
    print(f"| p50 of 10 | {medians[0]:.0f} | {medians[1]:.0f} |")
    keep(Result("proxy: first byte of a chat", "ms", medians[1], medians[0], "gateway alone", at_most=2))


def first_word(url: str, token: str) -> float:
    body = {
        "model": "openclaw",
        "stream": True,
        "user": "bench",
        "messages": [{"role": "user", "content": QUESTION}],
    }
    headers = {"Authorization": f"Bearer {token}"}
    began = time.perf_counter()
    with httpx.stream("POST", url, json=body, headers=headers, timeout=120, trust_env=False) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        took = time.perf_counter() - began
        for _ in pieces:
            pass
    return took


if __name__ == "__main__":
    main()
