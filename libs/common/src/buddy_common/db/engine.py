"""Database engines: SQLite in WAL mode, or PostgreSQL."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import (
    TimeoutError as PoolTimeoutError,
)
from sqlmodel import Session

from buddy_common.errors import DatabaseUnavailableError

# Why each: WAL lets readers and one writer work at once; FULL because a lost commit is a lost task;
# 10 s because a writer of another process is normal, not an error; foreign keys are off by default.
_BUSY_SECONDS = 10.0
# without them, a lock that nobody frees and a server whose machine is gone would be waited for without end
_POSTGRES_LIMITS = {
    "connect_timeout": 3,
    "options": f"-c lock_timeout={_BUSY_SECONDS * 1000:.0f}",
    "tcp_user_timeout": 15_000,  # milliseconds; libpq passes over it where the system is not Linux
}
_SQLITE_PRAGMAS = (
    "PRAGMA synchronous=FULL",
    f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000:.0f}",
    "PRAGMA foreign_keys=ON",
)


def open_engine(url: str) -> Engine:
    """Return an engine for `url`; nothing is connected yet.

    Raises:
        DatabaseUnavailableError: the URL names a database that Buddy cannot use.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            engine = create_engine(parsed, connect_args={"check_same_thread": False})
            event.listen(engine, "connect", _set_pragmas)
            return engine
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
            limits = {name: value for name, value in _POSTGRES_LIMITS.items() if name not in parsed.query}
            return create_engine(parsed, pool_pre_ping=True, connect_args=limits)
    except (SQLAlchemyError, ValueError) as exc:
        raise DatabaseUnavailableError(f"The database URL is not usable: {exc}") from exc
    raise DatabaseUnavailableError(
        f"Unknown kind of database {parsed.get_backend_name()!r}: use sqlite:/// or postgresql://."
    )


def _set_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    _switch_to_wal(cursor)
    for pragma in _SQLITE_PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _switch_to_wal(cursor: sqlite3.Cursor) -> None:
    """Turn WAL on; busy_timeout does not count for that while another process writes a fresh file."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


# gone or locked, or (the last) without our schema
_UNUSABLE = (OperationalError, InterfaceError, ProgrammingError)
_Result = TypeVar("_Result")


class Database:
    """Runs units of work, one transaction each; one engine per process."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def call(self, work: Callable[[Session], _Result]) -> _Result:
        """Run `work` in one transaction: committed when it returns, rolled back when it raises.

        Raises:
            DatabaseUnavailableError: the database is gone, locked for too long, or has no schema.
        """
        try:
            with Session(self.engine, expire_on_commit=False) as session:
                result = work(session)
                session.commit()
                return result
        except PoolTimeoutError as exc:
            raise DatabaseUnavailableError("All connections to the database are busy.") from exc
        except DatabaseError as exc:
            if type(exc) is not DatabaseError and not isinstance(exc, _UNUSABLE):
                raise
            raise DatabaseUnavailableError(
                f"The database cannot be used: {exc.orig}. Is its schema there (`buddy migrate`)?"
            ) from exc

    async def run(self, work: Callable[[Session], _Result]) -> _Result:
        """Do the same from the event loop: in a thread, so that nothing waits for the disk."""
        return await asyncio.to_thread(self.call, work)
