"""What is there in the end: rows of the database, and what became of every key that was written."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

from buddy_common.adapters.config_files import parse_config
from buddy_common.errors import GatewayConfigError
from buddy_common.schemas.jobs import ALL_JOBS
from buddy_common.schemas.tasks import TaskStatus
from chaos.facts import Facts, Heal, Task
from chaos.stage import Stage
from chaos.writers import BOT_NAME, FILE, GONE, LATER_BOT_NAME, PROVIDER_URL, ROW, THERE

_REPEATABLE = {job.task for job in ALL_JOBS if job.repeatable}


def task_rows(stage: Stage) -> list[Task]:
    """Return all tasks."""
    with _database(stage) as database:
        rows = database.execute("SELECT id, kind, status, epoch FROM tasks").fetchall()
    return [
        Task(name, kind, status, TaskStatus(status).is_final, attempts, may_repeat=kind in _REPEATABLE)
        for name, kind, status, attempts in rows
    ]


def heal_rows(stage: Stage) -> list[Heal]:
    """Return all heal events."""
    with _database(stage) as database:
        rows = database.execute(
            "SELECT id, incident, kind, at, repair FROM heal_events ORDER BY seq"
        ).fetchall()
    return [
        Heal(name, incident, kind, datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp(), repair)
        for name, incident, kind, at, repair in rows
    ]


def open_incidents(stage: Stage) -> int:
    """Return how many incidents have not ended."""
    with _database(stage) as database:
        (count,) = database.execute("SELECT count(*) FROM heal_incidents WHERE ended IS NULL").fetchone()
    return int(count)


async def final_values(stage: Stage, facts: Facts) -> dict[str, str | None]:
    """Return what every key is now, read where it is kept and not through those who wrote it."""
    keys = {attempt.key for attempt in facts.attempts}
    return await asyncio.to_thread(_final_values, stage, keys)


def _final_values(stage: Stage, keys: set[str]) -> dict[str, str | None]:
    try:
        config = parse_config(stage.config_file.read_bytes())
    except GatewayConfigError:
        config = {}
    with _database(stage) as database:
        labels = {label for (label,) in database.execute("SELECT label FROM quick_commands").fetchall()}
    values: dict[str, str | None] = {
        key: THERE if key.removeprefix(ROW) in labels else GONE for key in keys if key.startswith(ROW)
    }
    values[BOT_NAME] = _at(config, "agents", "entries", "bot_1", "identity", "name")
    values[LATER_BOT_NAME] = _at(config, "agents", "entries", "bot_2", "identity", "name")
    url = _at(config, "models", "providers", "second", "baseUrl")
    values[PROVIDER_URL] = None if url is None else url.rpartition("/")[2]
    file = stage.buddy.get("/v1/openclaw/bots/file", id="bot_1")
    values[FILE] = file.json()["data"]["content"] if file.status_code == 200 else None
    return values


def _at(config: Any, *path: str) -> str | None:
    for key in path:
        config = config.get(key, {}) if isinstance(config, dict) else {}
    return config if isinstance(config, str) else None


@contextmanager
def _database(stage: Stage) -> Iterator[sqlite3.Connection]:
    file = stage.machine.home / "buddy.db"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as connection:
        yield connection
