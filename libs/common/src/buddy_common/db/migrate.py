"""Schema migrations, in process."""

from collections.abc import Callable
from pathlib import Path

from alembic import command, util
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from buddy_common.errors import DatabaseUnavailableError

# any number, the same in every process of ours: PostgreSQL's advisory lock around a migration
_ADVISORY_LOCK = 0x6275646479
_PATIENCE = "60s"  # a migration that another process runs may take longer than any other work


def alembic_config() -> Config:
    """Return the configuration that finds the migrations inside this package."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def head_revision() -> str:
    """Return the newest revision that this code knows."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if head is None:
        raise RuntimeError("the package carries no migrations")
    return head


def current_revision(engine: Engine) -> str | None:
    """Return the revision of the database, None when it is empty.

    Raises:
        DatabaseUnavailableError: it cannot be reached.
    """
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except DBAPIError as exc:
        raise DatabaseUnavailableError(f"The database cannot be opened: {exc.orig}") from exc


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the database to `revision`; several processes may call this at once.

    Raises:
        DatabaseUnavailableError: it cannot be reached or written.
    """
    _run(engine, lambda config: command.upgrade(config, revision))


def downgrade(engine: Engine, revision: str) -> None:
    """Take the database back to `revision`.

    Raises:
        DatabaseUnavailableError: it cannot be reached or written.
    """
    _run(engine, lambda config: command.downgrade(config, revision))


def _run(engine: Engine, action: Callable[[Config], None]) -> None:
    config = alembic_config()
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                # a write lock from the start: a second migrator waits here for busy_timeout
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(text(f"SET LOCAL lock_timeout = '{_PATIENCE}'"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
            config.attributes["connection"] = connection
            action(config)
            connection.commit()
    except DBAPIError as exc:
        raise DatabaseUnavailableError(f"The database cannot be migrated: {exc.orig}") from exc
    except util.CommandError as exc:  # made by a newer Buddy
        raise DatabaseUnavailableError(f"The database cannot be migrated: {exc}") from exc
