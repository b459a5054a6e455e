"""What is there in the end: rows of the database, and what became of every key that was written."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

from buddy_common.schemas.jobs import ALL_JOBS
from buddy_common.schemas.tasks import TaskStatus
from chaos.facts import Facts, Heal, Look, Task
from chaos.keys import config_values, file_values, row_values
from chaos.stage import Stage

_REPEATABLE = {job.task for job in ALL_JOBS if job.repeatable}


def task_rows(stage: Stage) -> list[Task]:
    """Return all tasks."""
    with _database(stage) as database:
        rows = database.execute("SELECT id, kind, status, epoch, error_code FROM tasks").fetchall()
    return [
        Task(name, kind, status, TaskStatus(status).is_final, attempts, kind in _REPEATABLE, error)
        for name, kind, status, attempts, error in rows
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


async def look_at_keys(stage: Stage, facts: Facts) -> Look:
    """Return what every key is now, read where it is kept and not through those who wrote it."""
    keys = sorted({attempt.key for attempt in facts.attempts})
    return await asyncio.to_thread(_look, stage, keys)


def _look(stage: Stage, keys: list[str]) -> Look:
    at = time.time()
    with _database(stage) as database:
        labels = {label for (label,) in database.execute("SELECT label FROM quick_commands").fetchall()}
    values = config_values(stage.config_file.read_bytes(), keys)
    return Look(at, {**values, **file_values(stage.workspace, keys), **row_values(labels, keys)})


@contextmanager
def _database(stage: Stage) -> Iterator[sqlite3.Connection]:
    file = stage.machine.home / "buddy.db"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as connection:
        yield connection
