"""All lanes of a node in one container: a consumer process each, which live and end together."""

import asyncio
import json
import os
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from buddy_common.adapters.presence import Presence
from buddy_common.adapters.redis_client import open_redis
from buddy_common.entry import run_entry
from buddy_common.errors import BuddyError
from buddy_common.schemas.job import Lane
from buddy_common.settings import BrokerSettings
from buddy_worker.owner import Owner

STOP_SECONDS = 8.0  # within the 10 s that Docker allows by default
CHECK_SECONDS = 5.0


def pids_file() -> Path:
    """Return where the consumers of this container are noted, for its health check."""
    return Path(tempfile.gettempdir()) / "buddy-lanes.json"


async def run_lanes() -> int:
    """Run them until SIGTERM, or until one of them ends: then the others do, and the exit code is 1."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # where containers share their pids, that of this process tells their consumers apart in Flower
    command = [sys.executable, "-m", "buddy_worker", "--instance", str(os.getpid()), "--lane"]
    consumers = [await asyncio.create_subprocess_exec(*command, lane) for lane in Lane]
    await asyncio.to_thread(pids_file().write_text, json.dumps([consumer.pid for consumer in consumers]))
    ends = [asyncio.create_task(consumer.wait()) for consumer in consumers]
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([*ends, stopping], return_when=asyncio.FIRST_COMPLETED)
    for order in (signal.SIGTERM, signal.SIGKILL):
        for consumer in consumers:
            with suppress(ProcessLookupError):
                consumer.send_signal(order)
        _, left = await asyncio.wait(ends, timeout=STOP_SECONDS)
        if not left:
            break
    stopping.cancel()
    return 0 if stop.is_set() else 1


async def all_consume() -> bool:
    """Whether each consumer of this container has lately said that it lives."""
    noted = set(json.loads(await asyncio.to_thread(pids_file().read_text)))
    redis = open_redis(BrokerSettings().require())
    try:
        alive = [Owner.parse(worker.worker) for worker in await Presence(redis).listing()]
    finally:
        await redis.aclose()
    here = Owner.current()
    found = {
        owner.pid
        for owner in alive
        if owner is not None and (owner.hostname, owner.namespace) == (here.hostname, here.namespace)
    }
    return noted <= found


def main() -> None:
    """Check the health of this container's worker.

    Raises:
        SystemExit: a consumer does not answer, or the broker does not; the text says which.
    """
    try:
        healthy = asyncio.run(asyncio.wait_for(all_consume(), CHECK_SECONDS))
    except (BuddyError, OSError, TimeoutError) as exc:
        raise SystemExit(f"buddy: {exc}") from exc
    if not healthy:
        raise SystemExit("buddy: a lane does not consume")


if __name__ == "__main__":
    run_entry(main)
