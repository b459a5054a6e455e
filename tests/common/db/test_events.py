"""The audit table."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import StatementError
from sqlmodel import Session, select

from buddy_common.db import events
from buddy_common.db.engine import Database
from buddy_common.db.tables import EventRow
from buddy_common.schemas.events import EventStatus, EventView


def add(database: Database, action: str = "restart_gateway", *, actor: str = "admin", **more: Any) -> None:
    status = more.pop("status", EventStatus.PENDING)
    database.call(lambda session: events.add(session, actor=actor, action=action, status=status, **more))


def listing(database: Database, **filters: Any) -> list[EventView]:
    return database.call(lambda session: events.listing(session, **filters))


def actions(database: Database, **filters: Any) -> list[str]:
    return [event.action for event in listing(database, **filters)]


def test_event_says_who_did_what_from_where(database: Database) -> None:
    before = datetime.now(UTC)
    add(
        database,
        target="gateway",
        task_id="task-1-a",
        address="203.0.113.7",
        node="local",
        status=EventStatus.FAILED,
        detail="Exit 78.",
    )

    (event,) = listing(database)

    assert before <= event.time <= datetime.now(UTC)
    assert event.model_dump(exclude={"id", "time"}) == {
        "user": "admin",
        "action": "restart_gateway",
        "status": EventStatus.FAILED,
        "target": "gateway",
        "taskID": "task-1-a",
        "address": "203.0.113.7",
        "node": "local",
        "detail": "Exit 78.",
    }


def test_newest_events_come_first_and_ids_count_up(database: Database) -> None:
    for action in ("one", "two", "three"):
        add(database, action)

    found = listing(database)

    assert [event.action for event in found] == ["three", "two", "one"]
    assert [event.id for event in found] == sorted((event.id for event in found), reverse=True)


@pytest.mark.parametrize("limit", [1, 2, 5, 7])
def test_pages_have_no_gap_and_no_duplicate(database: Database, limit: int) -> None:
    for number in range(5):
        add(database, f"action-{number}")
    seen: list[str] = []
    before = None
    while page := listing(database, before=before, limit=limit):
        seen += [event.action for event in page]
        before = page[-1].id

    assert seen == [f"action-{number}" for number in (4, 3, 2, 1, 0)]


def test_events_are_narrowed_by_action_and_actor(database: Database) -> None:
    add(database, "login", actor="anonymous")
    add(database, "restart_gateway")
    add(database, "login")

    assert actions(database, action="login") == ["login", "login"]
    assert actions(database, actor="admin") == ["login", "restart_gateway"]
    assert actions(database, action="login", actor="anonymous") == ["login"]
    assert actions(database, action="reboot") == []


def test_events_of_no_node_belong_to_every_nodes_list(database: Database) -> None:
    add(database, "one", node="local")
    add(database, "two", node="vps-1")
    add(database, "refused_login")

    assert actions(database, node="local") == ["refused_login", "one"]
    assert actions(database, node="vps-1") == ["refused_login", "two"]
    assert actions(database) == ["refused_login", "two", "one"]


def test_since_counts_from_that_very_moment(database: Database) -> None:
    add(database, "one")
    add(database, "two")
    moment = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)

    def arrange(session: Session) -> None:
        for row in session.exec(select(EventRow)).all():
            row.at = moment if row.action == "two" else moment - timedelta(microseconds=1)

    database.call(arrange)

    assert actions(database, since=moment) == ["two"]
    assert actions(database, since=moment + timedelta(microseconds=1)) == []
    assert actions(database, since=moment.astimezone().replace(year=2025)) == ["two", "one"]


def test_since_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="naive datetime"):
        listing(database, since=datetime(2026, 3, 28))  # noqa: DTZ001 - the very thing


def test_close_says_how_the_change_of_one_task_ended(database: Database) -> None:
    add(database, "one", task_id="task-1-a")
    add(database, "two", task_id="task-2-b")
    add(database, "refused_login", status=EventStatus.DENIED)

    database.call(
        lambda session: events.close(session, "task-1-a", status=EventStatus.FAILED, detail="Exit 78.")
    )

    assert [(event.action, event.status, event.detail) for event in listing(database)] == [
        ("refused_login", EventStatus.DENIED, None),
        ("two", EventStatus.PENDING, None),
        ("one", EventStatus.FAILED, "Exit 78."),
    ]
