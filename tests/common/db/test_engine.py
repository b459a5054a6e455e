"""Engines and units of work."""

from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from buddy_common.db import nodes
from buddy_common.db.engine import Database, open_engine
from buddy_common.errors import DatabaseUnavailableError
from fakes.ports import free_port


def touch(session: Session) -> None:
    nodes.touch(session, "local", hostname="host-1")


def touch_and_fail(session: Session) -> None:
    touch(session)
    raise ZeroDivisionError


def call_and_close(engine: Engine) -> None:
    try:
        Database(engine).call(nodes.names)
    finally:
        engine.dispose()


def test_work_that_returns_is_committed(database: Database, database_url: str) -> None:
    database.call(touch)

    other = open_engine(database_url)
    assert Database(other).call(nodes.names) == ["local"]
    other.dispose()


def test_work_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        database.call(touch_and_fail)

    assert database.call(nodes.names) == []


async def test_work_runs_from_the_event_loop_without_blocking_it(database: Database) -> None:
    await database.run(touch)

    assert await database.run(nodes.names) == ["local"]


def test_rows_are_readable_after_their_transaction(database: Database) -> None:
    database.call(touch)

    (node,) = database.call(nodes.listing)

    assert node.hostname == "host-1"


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("busy_timeout", 10000), ("foreign_keys", 1)],
)
def test_sqlite_is_durable_and_shared(database: Database, pragma: str, value: object) -> None:
    found = database.call(lambda session: session.connection().exec_driver_sql(f"PRAGMA {pragma}").scalar())

    assert found == value


@pytest.mark.parametrize(
    "url",
    [
        "mysql://h/db",
        "oracle://h/db",
        "http://h",
        "",
        "buddy.db",
        "sqlite+nothing:///x.db",
        "postgresql://h:x/db",
    ],
)
def test_url_that_buddy_cannot_use_is_refused(url: str) -> None:
    with pytest.raises(DatabaseUnavailableError):
        open_engine(url)


def test_unknown_kind_of_database_says_which_are_known() -> None:
    with pytest.raises(DatabaseUnavailableError, match=r"'mysql': use sqlite:/// or postgresql://"):
        open_engine("mysql://h/db")


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_postgresql_is_reached_by_the_driver_that_is_installed(scheme: str) -> None:
    engine = open_engine(f"{scheme}://buddy@127.0.0.1/buddy")

    assert engine.dialect.driver == "psycopg"


@pytest.mark.postgres
def test_lock_on_postgresql_is_waited_for_as_long_as_on_sqlite(database: Database, database_url: str) -> None:
    def patience(session: Session) -> object:
        return session.connection().exec_driver_sql("SHOW lock_timeout").scalar()

    assert database.call(patience) == "10s"

    other = Database(open_engine(f"{database_url}&options=-c%20lock_timeout%3D2s"))
    assert other.call(patience) == "2s"
    other.engine.dispose()


def test_file_in_a_folder_that_does_not_exist_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailableError):
        call_and_close(open_engine(f"sqlite:///{tmp_path}/nowhere/buddy.db"))


def test_server_that_is_not_there_is_unavailable_and_the_password_is_not_told() -> None:
    url = f"postgresql://buddy:hunter2@127.0.0.1:{free_port()}/buddy"

    with pytest.raises(DatabaseUnavailableError) as failure:
        call_and_close(open_engine(url))

    assert "hunter2" not in failure.value.message


def test_database_without_our_schema_is_unavailable(empty_database_url: str) -> None:
    with pytest.raises(DatabaseUnavailableError):
        call_and_close(open_engine(empty_database_url))


def test_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"this is not a database, whatever its name says" * 50)

    with pytest.raises(DatabaseUnavailableError):
        call_and_close(open_engine(f"sqlite:///{tmp_path}/broken.db"))


def test_database_that_another_keeps_locked_is_unavailable(database: Database, database_url: str) -> None:
    other = open_engine(database_url)
    on_sqlite = other.dialect.name == "sqlite"

    def touch_without_patience(session: Session) -> None:
        patience = "PRAGMA busy_timeout=20" if on_sqlite else "SET LOCAL lock_timeout=20"
        session.connection().exec_driver_sql(patience)
        touch(session)

    with other.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if on_sqlite else "LOCK TABLE nodes")
        with pytest.raises(DatabaseUnavailableError):
            database.call(touch_without_patience)
    other.dispose()
    database.call(touch)

    assert database.call(nodes.names) == ["local"]
