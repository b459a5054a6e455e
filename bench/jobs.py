"""How fast a job is accepted and started, beside a bare Celery `delay()` on the same broker.

`python -m bench.jobs [--rounds N]` prints a Markdown table. The job is a gateway start that finds its
gateway running, so that nothing but Buddy is measured; both sides take turns.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import httpx
import psutil
import redis
from celery import Celery

from bench.results import Result, keep
from fakes.broker import BrokerServer
from fakes.openclaw_program import install_fake_openclaw
from fakes.ports import free_port

BUDDY = Path(sys.executable).parent / "buddy"
STAMP_KEY = "bench:started"
LIMIT_SECONDS = 60

app = Celery("bench", broker=os.environ.get("BENCH_BROKER", "memory://"))
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=1)


@app.task(name="bench.bare")
def bare(number: int) -> None:
    """Note when it was started."""
    with redis.Redis.from_url(os.environ["BENCH_BROKER"]) as client:
        client.hset(STAMP_KEY, str(number), str(time.time()))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = BrokerServer(folder)
        broker.start()
        os.environ["BENCH_BROKER"] = broker.url
        try:
            with bare_worker(), buddy(folder, broker.url) as client:
                print_table(*measure(client, broker.url, rounds))
        finally:
            broker.stop()


def measure(
    client: httpx.Client, broker_url: str, rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return times in ms: accepted and started, of Buddy and of bare Celery."""
    ours: dict[str, list[float]] = {"accepted": [], "started": []}
    theirs: dict[str, list[float]] = {"accepted": [], "started": []}
    app.conf.update(broker_url=broker_url)
    with redis.Redis.from_url(broker_url, decode_responses=True) as stamps:
        for number in range(rounds):
            began = time.perf_counter()
            answer = client.post("/v1/gateway/start").json()
            ours["accepted"].append((time.perf_counter() - began) * 1000)
            ours["started"].append(start_delay(client, answer["data"]["taskID"]))
            sent = time.time()
            began = time.perf_counter()
            bare.apply_async((number,), queue="bench", ignore_result=True)
            theirs["accepted"].append((time.perf_counter() - began) * 1000)
            theirs["started"].append((until_stamped(stamps, number) - sent) * 1000)
    return ours, theirs


def start_delay(client: httpx.Client, task_id: str) -> float:
    """Return ms from Queued to Running, after the task has ended."""
    while True:
        query = {"taskId": task_id, "wait": "10"}
        task = client.get("/v1/tasks/status", params=query).json()["data"]
        if task["endTime"]:
            queued, started = (datetime.fromisoformat(task[name]) for name in ("queuedAt", "startTime"))
            return (started - queued).total_seconds() * 1000


def until_stamped(stamps: "redis.Redis", number: int) -> float:
    """Return when the bare task was started (Unix seconds)."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while (value := stamps.hget(STAMP_KEY, str(number))) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"bare task {number} was never started")
        time.sleep(0.001)
    return float(str(value))


@contextmanager
def bare_worker() -> Iterator[None]:
    """Run a Celery worker with the settings that Celery's documentation starts with."""
    arguments = ["-q", "-A", "bench.jobs", "worker", "-Q", "bench", "-P", "threads", "-c", "4", "-l", "error"]
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # what it says of the user that it runs as is no figure
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


@contextmanager
def buddy(folder: Path, redis_url: str) -> Iterator[httpx.Client]:
    """Run the whole system on a fake gateway and yield a client of its API."""
    fake = install_fake_openclaw(folder / "openclaw", port=free_port())
    port = free_port()
    home = folder / "home"
    environment = os.environ | {
        "BUDDY_HOME": str(home),
        "BUDDY_OPENCLAW": str(fake.program),
        "OPENCLAW_CONFIG_DIR": str(fake.config_dir),
        "BUDDY_WATCHDOG_PORT": str(free_port()),
    }
    arguments = ["up", "--redis-url", redis_url, "--port", str(port), "--no-flower"]
    began = time.perf_counter()
    process = subprocess.Popen([BUDDY, *arguments], env=environment, stdout=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            until_ready(client)
            print(f"`buddy up` to ready: {time.perf_counter() - began:.1f} s\n")
            token = (home / "token").read_text().strip()
            client.headers["Authorization"] = f"Bearer {token}"
            yield client
            print_memory(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=20)
        for gateway in psutil.process_iter(["cmdline"]):
            if str(fake.program) in (gateway.info["cmdline"] or []):
                gateway.kill()


def until_ready(client: httpx.Client) -> None:
    """Wait until the system says that it is ready."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        try:
            if client.get("/ready").status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise TimeoutError("buddy up did not become ready")


def print_table(ours: dict[str, list[float]], theirs: dict[str, list[float]]) -> None:
    """Print p50 and p99 of both, and the ratio of the medians."""
    print("| step | Buddy p50, ms | p99 | bare Celery p50, ms | p99 | ratio of p50 |")
    print("|---|---|---|---|---|---|")
    for step, times in ours.items():
        mine, bare_ones = statistics.median(times), statistics.median(theirs[step])
        tails = [statistics.quantiles(side[step], n=100)[98] for side in (ours, theirs)]
        print(
            f"| {step} | {mine:.1f} | {tails[0]:.1f} | {bare_ones:.1f} | {tails[1]:.1f}"
            f" | {mine / bare_ones:.1f} |"
        )
        keep(Result(f"job {step}, p50", "ms", mine, bare_ones, "bare Celery"))


def print_memory(pid: int) -> None:
    """Print the resident memory of the supervisor and its children."""
    print("\n| process | RSS, MB |\n|---|---|")
    parent = psutil.Process(pid)
    for process in [parent, *parent.children()]:
        name = " ".join(Path(part).name for part in process.cmdline()[-3:])
        print(f"| {name} | {process.memory_info().rss / 2**20:.0f} |")


if __name__ == "__main__":
    main()
