"""Columns that mean the same on every database."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.exc import StatementError
from sqlmodel import Session

from buddy_common.db.engine import Database
from buddy_common.db.tables import NodeRow

TOKYO = timezone(timedelta(hours=9))


def store(database: Database, moment: datetime) -> datetime:
    def add(session: Session) -> None:
        session.add(NodeRow(name="local", hostname="h", registered_at=moment, last_seen_at=moment))

    def read(session: Session) -> datetime:
        row = session.get(NodeRow, "local")
        assert row is not None
        return row.registered_at

    database.call(add)
    return database.call(read)


def test_time_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="naive datetime"):
        store(database, datetime(2026, 3, 28, 12, 0))  # noqa: DTZ001 - the very thing


@pytest.mark.parametrize("zone", [UTC, TOKYO], ids=["utc", "tokyo"])
def test_time_comes_back_as_the_same_moment_in_utc(database: Database, zone: timezone) -> None:
    moment = datetime(2026, 3, 28, 12, 0, 0, 123456, tzinfo=zone)

    found = store(database, moment)

    assert found == moment
    assert found.tzinfo is UTC
