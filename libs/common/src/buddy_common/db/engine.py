"""Database engines: SQLite in WAL mode, or PostgreSQL."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError, SQLAlchemyError
from sqlmodel import Session

from buddy_common.errors import DatabaseUnavailableError

# Why each: WAL lets readers and one writer work at once; FULL because a lost commit is a lost task;
# 10 s because a writer of another process is normal, not an error; foreign keys are off by default.
_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA busy_timeout=10000",
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
            return create_engine(parsed, pool_pre_ping=True, connect_args={"connect_timeout": 3})
    except SQLAlchemyError as exc:
        raise DatabaseUnavailableError(f"The database URL is not usable: {exc}") from exc
    raise DatabaseUnavailableError(
        f"Unknown kind of database {parsed.get_backend_name()!r}: use sqlite:/// or postgresql://."
    )


def _set_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in _SQLITE_PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


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
        except _UNUSABLE as exc:
            raise DatabaseUnavailableError(
                f"The database did not answer: {type(exc.orig).__name__}."
            ) from exc

    async def run(self, work: Callable[[Session], _Result]) -> _Result:
        """Do the same from the event loop: in a thread, so that nothing waits for the disk."""
        return await asyncio.to_thread(self.call, work)
