"""What log readers cost: memory of 500 idle ones, and how soon a line reaches them all.

`python -m bench.log_readers [--readers N] [--lines N]` prints Markdown tables. The proxy runs in a process of
its own, beside an app in another one that does nothing but accept the sockets and send them what it is told.
Both have the same server, and the same clients.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
from websockets.asyncio.client import ClientConnection, connect

from bench.results import Result, keep
from buddy_common.db.engine import open_engine
from buddy_common.db.migrate import upgrade
from fakes.broker import BrokerServer
from fakes.ports import free_port

TOKEN = "a-token-for-the-bench-0123456789abcdef"  # noqa: S105 - of a server that ends with the bench
LIMIT_MB = 150
LOOK_SECONDS = 0.5

BARE = """
import asyncio, sys, uvicorn

sockets = set()

async def app(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    sockets.add(send)
    while (message := await receive())["type"] != "websocket.disconnect":
        for each in list(sockets):  # one of them tells us what all get
            await each({"type": "websocket.send", "text": message["text"]})
    sockets.discard(send)

uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", ws="websockets-sansio", ws_per_message_deflate=False,
            lifespan="off", log_level="error")
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=500)
    parser.add_argument("--lines", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        bare_port, port = free_port(), free_port()
        bare = stack.enter_context(running([sys.executable, "-c", BARE, str(bare_port)], bare_port))
        proxy = stack.enter_context(proxy_process(folder, port, options.readers))
        log = folder / "buddy" / "logs" / "gateway-local.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("".join(f"a line of the past, {number:05} {'x' * 180}\n" for number in range(5000)))
        url = f"ws://127.0.0.1:{port}/v1/ws/logs"
        print("| | idle, MB | readers | with them, MB | each, KB | to all p50, ms | p99, ms | CPU/line, ms |")
        print("|---|---|---|---|---|---|---|---|")
        asyncio.run(measure("accept only", bare, f"ws://127.0.0.1:{bare_port}/", None, options))
        megabytes = asyncio.run(measure("proxy", proxy, url, log, options))
        print(f"\n{options.readers} readers: {megabytes:.0f} MB of {LIMIT_MB} MB")
        keep(
            Result(f"proxy with {options.readers} log readers", "MB", megabytes, LIMIT_MB, "limit", at_most=1)
        )


async def measure(
    name: str, process: psutil.Process, url: str, log: Path | None, options: argparse.Namespace
) -> float:
    """Open the readers, look at the memory, send lines; return the megabytes with all readers idle."""
    idle = megabytes_of(process)
    async with asyncio.TaskGroup() as group:
        opening = [group.create_task(open_reader(url)) for _ in range(options.readers)]
    sockets = [task.result() for task in opening]
    if log is not None:
        for socket in sockets:
            expect(json.loads(await socket.recv())["type"], "LOG_HISTORY")
    full = await at_rest(process)
    cpu = sum(process.cpu_times()[:2])
    times = [await tell_all(sockets, f"line {number}", log) for number in range(options.lines)]
    cpu = sum(process.cpu_times()[:2]) - cpu
    times.sort()
    print(
        f"| {name} | {idle:.0f} | {len(sockets)} | {full:.0f} | {(full - idle) * 1024 / len(sockets):.0f} |"
        f" {statistics.median(times):.0f} | {times[int(len(times) * 0.99)]:.0f} |"
        f" {cpu * 1000 / options.lines:.1f} |"
    )
    await asyncio.gather(*(socket.close() for socket in sockets))
    return full


async def at_rest(process: psutil.Process) -> float:
    """Return the megabytes of a process once they fall no further: what the histories needed is let go of."""
    least = megabytes_of(process)
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        now = megabytes_of(process)
        if now >= least:
            return now
        least = now


async def open_reader(url: str) -> ClientConnection:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return await connect(url, additional_headers=headers, proxy=None, compression=None, open_timeout=60)


async def tell_all(sockets: list[ClientConnection], line: str, log: Path | None) -> float:
    """Return after how many milliseconds the last reader had the line."""
    began = time.perf_counter()
    if log is None:
        await sockets[0].send(line)
    else:
        with log.open("a") as file:
            file.write(f"{line}\n")
    for socket in sockets:
        expect(await socket.recv(), line)
    return (time.perf_counter() - began) * 1000


def expect(found: object, wanted: str) -> None:
    if found != wanted:
        raise ValueError(f"{found!r} came instead of {wanted!r}")


def megabytes_of(process: psutil.Process) -> float:
    return process.memory_info().rss / 1024 / 1024


@contextmanager
def proxy_process(folder: Path, port: int, readers: int) -> Iterator[psutil.Process]:
    """Run the proxy as a service of its own, without a gateway."""
    database = f"sqlite:///{folder}/bench.db"
    engine = open_engine(database)
    upgrade(engine)
    engine.dispose()
    (folder / "broker").mkdir()
    broker = BrokerServer(folder / "broker")
    broker.start()
    (folder / "openclaw.json").write_text(json.dumps({"logging": {"file": str(folder / "openclaw.log")}}))
    environment = os.environ | {
        "BUDDY_HOME": str(folder / "buddy"),
        "BUDDY_TOKEN": TOKEN,
        "BUDDY_DATABASE_URL": database,
        "BUDDY_REDIS_URL": broker.url,
        "BUDDY_OPENCLAW_CONFIG_DIR": str(folder),
        "BUDDY_PROXY_PORT": str(port),
        "BUDDY_PROXY_CONNECTIONS_PER_CLIENT": str(readers + 10),
        "BUDDY_LOG_LEVEL": "warning",
    }
    try:
        with running([sys.executable, "-m", "buddy_proxy"], port, environment) as process:
            yield process
    finally:
        broker.stop()


@contextmanager
def running(
    command: list[str], port: int, environment: dict[str, str] | None = None
) -> Iterator[psutil.Process]:
    """Run a server until the block ends; it listens when the block begins."""
    process = subprocess.Popen(command, env=environment)
    try:
        wait_for_listener(process, port)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_for_listener(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + 60
    while not any(c.laddr.port == port for c in psutil.Process(process.pid).net_connections("tcp")):
        if time.monotonic() > deadline or process.poll() is not None:
            raise TimeoutError(f"nothing listens on port {port}")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
