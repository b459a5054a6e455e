"""Migrations: up, down, at once, and equal to the tables that the code knows."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from buddy_common.db import nodes
from buddy_common.db.engine import Database, open_engine
from buddy_common.db.migrate import current_revision, downgrade, head_revision, upgrade
from buddy_common.db.tables import METADATA
from buddy_common.errors import DatabaseUnavailableError

MIGRATORS = 4
MIGRATOR = """
import sys
from buddy_common.db.engine import open_engine
from buddy_common.db.migrate import upgrade
engine = open_engine(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
upgrade(engine)
engine.dispose()
"""


@pytest.fixture
def engine(empty_database_url: str) -> Iterator[Engine]:
    """A database without tables."""
    engine = open_engine(empty_database_url)
    yield engine
    engine.dispose()


def tables_of(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names()) - {"alembic_version"}


def test_upgrade_takes_an_empty_database_to_the_newest_revision(engine: Engine) -> None:
    assert current_revision(engine) is None

    upgrade(engine)

    assert current_revision(engine) == head_revision()
    assert tables_of(engine) == set(METADATA.tables)


def test_upgrade_again_keeps_what_is_there(database: Database) -> None:
    database.call(lambda session: nodes.touch(session, "local", hostname="h"))

    upgrade(database.engine)

    assert database.call(nodes.names) == ["local"]


def test_downgrade_removes_everything_and_upgrade_brings_it_back(engine: Engine) -> None:
    upgrade(engine)

    downgrade(engine, "base")
    assert current_revision(engine) is None
    assert tables_of(engine) == set()

    upgrade(engine)
    assert current_revision(engine) == head_revision()
    assert tables_of(engine) == set(METADATA.tables)


def test_migrated_schema_equals_the_tables_of_the_code(engine: Engine) -> None:
    upgrade(engine)

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, METADATA)

    assert differences == []


def test_upgrade_that_fails_leaves_nothing_behind(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE tasks (id TEXT)")  # the first migration stumbles over it
        connection.commit()

    with pytest.raises(DatabaseUnavailableError, match="tasks"):
        upgrade(engine)

    assert current_revision(engine) is None
    assert tables_of(engine) == {"tasks"}


@pytest.mark.sqlite
def test_upgrade_waits_for_another_that_writes_the_fresh_file(engine: Engine, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "fresh.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE half_done (id TEXT)")
    end = threading.Timer(0.2, other.rollback)
    end.start()

    try:
        upgrade(engine)
    finally:
        end.join()
        other.close()

    assert current_revision(engine) == head_revision()
    assert tables_of(engine) == set(METADATA.tables)


@pytest.mark.timeout(60)  # four interpreters on a small machine
def test_processes_that_upgrade_one_empty_database_at_once_all_succeed(engine: Engine) -> None:
    url = engine.url.render_as_string(hide_password=False)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MIGRATOR, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(MIGRATORS)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    assert tables_of(engine) == set()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()

    outcomes = [(process.communicate(timeout=30)[1], process.returncode) for process in processes]

    assert outcomes == [("", 0)] * MIGRATORS
    assert current_revision(engine) == head_revision()
    assert tables_of(engine) == set(METADATA.tables)


@pytest.mark.sqlite
@pytest.mark.parametrize("path", ["nowhere/buddy.db", "file/buddy.db", "folder", "broken.db"])
def test_file_that_cannot_be_opened_is_unavailable(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken.db").write_bytes(b"no database at all" * 100)
    engine = open_engine(f"sqlite:///{tmp_path}/{path}")

    with pytest.raises(DatabaseUnavailableError):
        upgrade(engine)
    with pytest.raises(DatabaseUnavailableError):
        current_revision(engine)
    engine.dispose()


@pytest.mark.sqlite
def test_file_that_cannot_be_written_is_unavailable(database: Database, database_url: str) -> None:
    """As it is in a folder without write permission; the tests may run as root, who has them all."""
    downgrade(database.engine, "base")
    engine = open_engine(database_url.replace("sqlite:///", "sqlite:///file:") + "?mode=ro&uri=true")

    with pytest.raises(DatabaseUnavailableError, match="readonly"):
        upgrade(engine)
    engine.dispose()


def test_database_of_a_newer_buddy_is_unavailable(database: Database) -> None:
    statement = text("UPDATE alembic_version SET version_num = '9999'")
    database.call(lambda session: session.connection().execute(statement))

    with pytest.raises(DatabaseUnavailableError, match="9999"):
        upgrade(database.engine)
