"""A real gateway with 500 agents and 5,000 sessions: when its lists are there, and how fast they are.

`python -m bench.roster [--agents N] [--sessions N] [--requests N]` prints Markdown tables. The sessions are
copies of one that was really made, written into OpenClaw's own databases while its gateway is down.
"""

import argparse
import asyncio
import itertools
import shutil
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlmodel import Session

from bench.reads import CLIENTS, both, chat, gateway, rpc_ms
from bench.results import Result, keep
from buddy_common.adapters.read_model import ReadModel
from buddy_common.adapters.redis_client import open_redis
from buddy_common.adapters.transcripts import DATABASE
from buddy_common.db import nodes
from buddy_common.db.engine import open_engine
from buddy_common.schemas.resources import Resource
from openclaw_system import System, running_system
from real_openclaw import Generation

SMALL = "small"
LOOK_SECONDS = 0.5
START_SECONDS = 1800.0  # such a gateway takes up to a second for each agent, and then for its sessions
KEY = "agent:main:openai-user:user-0"
# of the newer generation's database of an agent: all that belongs to a session, but for the search index
TABLES = (
    "session_nodes", "session_windows", "transcript_events", "transcript_rewrite_watermarks",
    "transcript_event_identities", "session_transcript_index_state", "session_transcript_active_events",
)  # fmt: skip
LISTS = ("bots-models", "bots/top", "bots/top?limit=1000", "sessions?limit=50", "sessions")


def main() -> None:
    """Make the roster, start the gateway on it, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=10, help="of each agent")
    parser.add_argument("--requests", type=int, default=1000)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_system(Generation.NEW, Path(folder)) as system,
    ):
        for user in range(5):
            chat(system, f"user-{user}")
        for name in ("sessions", "bots-models", "bots/top"):
            system.buddy.get(f"/v1/openclaw/{name}", refresh="true")
        asyncio.run(publish_small(system))
        system.ensure_stopped()
        names = [f"bot_{number}" for number in range(options.agents)]
        fill(system.openclaw.config_dir, names, options.sessions)
        system.openclaw.edit(lambda config: enter(config, names))
        asyncio.run(measure_start(system, agents=len(names) + 1, sessions=len(names) * options.sessions + 5))
        asyncio.run(measure_lists(system, options.requests))


def enter(config: dict[str, Any], names: list[str]) -> None:
    """Put the agents into `openclaw.json`."""
    config["agents"] |= {"entries": {name: {} for name in ["main", *names]}, "ownership": "explicit"}


def fill(state_dir: Path, names: list[str], sessions: int) -> None:
    """Give each agent a database with so many copies of the main agent's session."""
    template = state_dir / "template.sqlite"
    with opened(state_dir / "agents" / "main" / DATABASE) as database:
        database.execute("VACUUM INTO ?", (str(template),))
    with opened(state_dir / "state" / "openclaw.sqlite") as shared:
        for name in names:
            file = state_dir / "agents" / name / DATABASE
            file.parent.mkdir(parents=True)
            shutil.copyfile(template, file)
            with opened(file) as database:
                own(database, name, sessions)
            changes = {"agent_id": name, "path": str(file)}
            copy_rows(shared, "agent_databases", "agent_id", "main", changes)
    template.unlink()


def own(database: sqlite3.Connection, name: str, sessions: int) -> None:
    """Make the database one of this agent."""
    query = "SELECT current_session_id, entry_json FROM session_nodes WHERE session_key = ?"
    ((old_id, entry),) = database.execute(query, (KEY,)).fetchall()
    for number in range(sessions):
        new_id, key = str(uuid.uuid4()), f"agent:{name}:openai-user:user-{number}"
        changes = {
            "session_id": new_id,
            "current_session_id": new_id,
            "session_key": key,
            "entry_json": entry.replace(old_id, new_id).replace(KEY, key),
        }
        for table in TABLES:
            column = "session_key" if table == "session_nodes" else "session_id"
            copy_rows(database, table, column, KEY if table == "session_nodes" else old_id, changes)
    database.execute("DELETE FROM session_nodes WHERE session_key LIKE 'agent:main:%'")
    database.execute("UPDATE session_nodes SET entry_valid = 1")  # which triggers have taken away
    database.execute("DELETE FROM session_canonical_validation_pending")
    database.execute("UPDATE schema_meta SET agent_id = ?", (name,))


def copy_rows(
    database: sqlite3.Connection, table: str, column: str, value: str, changes: dict[str, str]
) -> None:
    """Copy the rows that have this value, with other values where `changes` names a column."""
    names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    chosen = ", ".join(f":{name}" if name in changes else name for name in names)
    database.execute(
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {chosen} FROM {table} WHERE {column} = :value",  # noqa: S608 - constants above
        {**changes, "value": value},
    )


@contextmanager
def opened(file: Path) -> Iterator[sqlite3.Connection]:
    """Open a database of a gateway that is down, and commit."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA foreign_keys = ON")
        # which constraints call, and an SQLite before 3.43 does not have
        database.create_function("octet_length", 1, lambda text: len(text.encode()), deterministic=True)
        yield database
        database.commit()


async def measure_start(system: System, *, agents: int, sessions: int) -> None:
    """From the moment when the gateway is ready: the direct calls, and lists that are whole and fresh."""
    began = time.monotonic()
    await asyncio.to_thread(system.buddy.submit, "/v1/gateway/start?node=local")
    whole = asyncio.create_task(
        asyncio.to_thread(moment_when, lambda: counts(system) == (agents, agents, sessions))
    )
    ready = await asyncio.to_thread(moment_when, system.is_ready)
    async with gateway(system) as connection:
        await connection.call("agents.list", {}, seconds=START_SECONDS)
        offset: int | None = 0
        while offset is not None:
            params = {"limit": 1000, "offset": offset}
            page = await connection.call("sessions.list", params, seconds=START_SECONDS)
            offset = page.get("nextOffset")
        direct = time.monotonic() - ready
        ours = await whole - ready
        print(
            f"\n{agents} agents, {sessions} sessions: gateway ready after {ready - began:.1f} s; then the"
            f" direct calls take {direct:.2f} s, and all lists are whole and fresh after {ours:.2f} s"
        )
        keep(Result("big roster's lists fresh after a start", "s", ours, direct, "direct calls", at_most=1.5))
        print(f"Direct again: agents.list {await rpc_ms(connection, [('agents.list', {})]):.1f} ms,", end=" ")
        pages = [("sessions.list", {"limit": 1000, "offset": offset}) for offset in range(0, sessions, 1000)]
        print(f"all of sessions.list {await rpc_ms(connection, pages, rounds=5):.0f} ms")


def moment_when(condition: Callable[[], bool]) -> float:
    """Return when a condition was met (monotonic), looking seldom: the gateway needs the processor."""
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {START_SECONDS} s")
        time.sleep(LOOK_SECONDS)
    return time.monotonic()


def counts(system: System) -> tuple[int, int, int] | None:
    """How many bots, ranks and sessions are listed; None while a list is stale."""

    def listed(name: str, **query: str) -> dict[str, Any]:
        data: dict[str, Any] = system.buddy.get(f"/v1/openclaw/{name}", node="local", **query).json()["data"]
        return data

    sessions = listed("sessions", limit="1")
    if sessions["stale"]:  # until then, looking must cost the gateway little
        return None
    bots, top = listed("bots-models"), listed("bots/top")
    if bots["stale"] or top["stale"]:
        return None
    return len(bots["data"]["bots"]), top["total"], sessions["total"]


async def measure_lists(system: System, requests: int) -> None:
    """Measure the lists of the big roster beside those of the small one."""
    token, base = system.buddy.token, f"{system.buddy.url}/v1/openclaw"
    print("\n| list | coding | clients | p50, ms | p99 | small p99 | big : small p99 |")
    print("|---|---|---|---|---|---|---|")
    for name, coding, clients in itertools.product(LISTS, ("gzip", "identity"), CLIENTS):
        glue = "&" if "?" in name else "?"
        big, small = await both(
            f"{base}/{name}{glue}node=local",
            f"{base}/{name}{glue}node={SMALL}",
            token,
            clients,
            requests,
            coding=coding,
        )
        print(
            f"| {name} | {coding} | {clients} | {big.p50:.2f} | {big.p99:.2f} | {small.p99:.2f} |"
            f" {big.p99 / small.p99:.2f} |"
        )
        if coding == "gzip":  # what clients ask for; without it, a whole list is as slow as it is big
            what = f"{name} of the big roster, {clients} client{'s' if clients > 1 else ''}, p99"
            keep(Result(what, "ms", big.p99, small.p99, "small roster", at_most=3))


async def publish_small(system: System) -> None:
    """Keep the small roster's lists as another node's."""
    client = open_redis(system.buddy.machine.broker_url)
    model = ReadModel(client)
    for name in (Resource.BOTS_MODELS, Resource.BOTS_TOP, Resource.SESSIONS):
        entry = await model.get("local", name)
        if entry is not None:
            await model.put(SMALL, name, entry.data, source="rpc", fresh_seconds=3600)
    await client.aclose()
    engine = open_engine(f"sqlite:///{system.buddy.machine.home / 'buddy.db'}")
    with Session(engine) as session:
        nodes.touch(session, SMALL, hostname="bench")
        session.commit()
    engine.dispose()


if __name__ == "__main__":
    main()
