"""Inserts that may come again, on SQLite and on PostgreSQL. Nothing here commits."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel


def insert_new(session: Session, table: type[SQLModel], rows: Sequence[dict[str, Any]]) -> None:
    """Insert the rows; one that is there already, by any key, stays as it is."""
    if rows:
        session.execute(_insert(session, table).on_conflict_do_nothing(), list(rows))


def put(
    session: Session, table: type[SQLModel], row: dict[str, Any], *, unless_less: str | None = None
) -> None:
    """Insert the row, or replace the one with its key.

    `unless_less`: a column; a row that has less there replaces nothing.
    """
    statement = _insert(session, table).values(row)
    columns = statement.table.columns
    keys = [column for column in columns if column.primary_key]
    session.execute(
        statement.on_conflict_do_update(
            index_elements=keys,
            set_={name: statement.excluded[name] for name in row if not columns[name].primary_key},
            where=None if unless_less is None else statement.excluded[unless_less] >= columns[unless_less],
        )
    )


def _insert(session: Session, table: type[SQLModel]) -> sqlite.Insert | postgresql.Insert:
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
