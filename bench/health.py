"""How fast a month of health is answered, beside a bare count of its rows in the same database.

`python -m bench.health [--rounds N] [--database URL]` prints a Markdown table. 259,200 looks, one in ten
seconds, and their five-minute rows, in a SQLite file of its own unless a database is named. The route is
asked over HTTP within the process: authentication, query and JSON count, a socket does not.
"""

import argparse
import asyncio
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
from sqlalchemy import text
from sqlmodel import Session

from bench.results import Result, keep
from buddy_api.app import create_app, wiring_of
from buddy_api.config import ApiConfig
from buddy_common.db import nodes
from buddy_common.db.engine import Database, open_engine
from buddy_common.db.migrate import upgrade
from fakes.broker import BrokerServer
from fakes.month_of_health import MONTH_ROWS, fill

TOKEN = secrets.token_urlsafe(24)
QUERIES = [(720, 300), (720, 2000), (168, 300), (24, 288), (24, 2000)]
WANTED_MS = 50


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--database", help="a URL; without, a SQLite file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = BrokerServer(folder)
        broker.start()
        os.environ |= {
            "BUDDY_HOME": str(folder / "home"),
            "BUDDY_TOKEN": TOKEN,
            "BUDDY_REDIS_URL": broker.url,
            "BUDDY_DATABASE_URL": options.database or f"sqlite:///{folder}/bench.db",
        }
        try:
            prepare(Database(open_engine(os.environ["BUDDY_DATABASE_URL"])))
            asyncio.run(measure(options.rounds))
        finally:
            broker.stop()


def prepare(database: Database) -> None:
    """Write a month of looks."""
    upgrade(database.engine)
    database.call(lambda session: nodes.touch(session, "local", hostname="bench"))
    database.call(lambda session: fill(session, datetime.now(UTC)))
    database.engine.dispose()


async def measure(rounds: int) -> None:
    """Print what each query takes, and what the count does."""
    app = create_app(ApiConfig.from_environment())
    database = wiring_of(app).database
    transport = httpx.ASGITransport(app=app)
    headers = {"Authorization": f"Bearer {TOKEN}"}

    async def count() -> int:
        return await database.run(_count)

    async with httpx.AsyncClient(transport=transport, base_url="http://bench", headers=headers) as client:
        print(f"{MONTH_ROWS} looks, median of {rounds} rounds, ms\n")
        print("| hours | points asked | points | route | `SELECT count(*)` | ratio |")
        print("|---|---|---|---|---|---|")
        for hours, points in QUERIES:
            found = 0

            async def ask(hours: int = hours, points: int = points) -> int:
                query = {"hours": hours, "points": points}
                answer = await client.get("/v1/stats/health", params=query)
                return len(answer.json()["data"])

            found = await ask()
            ours, theirs = await taking_turns(ask, count, rounds)
            late = "" if ours < WANTED_MS else f" (over {WANTED_MS})"
            print(f"| {hours} | {points} | {found} | {ours:.1f}{late} | {theirs:.1f} | {ours / theirs:.2f} |")
            what = f"{hours} h of health in {points} points, p50"
            keep(Result(what, "ms", ours, theirs, "`SELECT count(*)` over a month"))
            keep(Result(what, "ms", ours, WANTED_MS, "limit", at_most=1))
    await wiring_of(app).close()


async def taking_turns(
    one: Callable[[], Awaitable[int]], other: Callable[[], Awaitable[int]], rounds: int
) -> tuple[float, float]:
    """Return the median of both in ms."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for call, taken in zip((one, other), times, strict=True):
            began = time.perf_counter()
            await call()
            taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(times[0]), statistics.median(times[1])


def _count(session: Session) -> int:
    return int(session.execute(text("SELECT count(*) FROM health_checks")).scalar_one())


if __name__ == "__main__":
    main()
