"""Lists of tasks: ids, order, filters and pages."""

import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import Session

from buddy_common.db import tasks
from buddy_common.db.engine import Database
from buddy_common.db.tables import TaskRow
from buddy_common.schemas.gateway_jobs import RestartGatewayJob
from buddy_common.schemas.tasks import TaskStatus

NOON = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)


def add_tasks(database: Database, *moments: datetime, node: str = "local") -> list[str]:
    def work(session: Session) -> list[str]:
        ids = []
        for moment in moments:
            row = tasks.add(session, RestartGatewayJob(), node=node, actor="admin")
            row.queued_at = moment
            ids.append(row.id)
        return ids

    return database.call(work)


def ids_of(
    database: Database, *, node: str = "local", before: str | None = None, limit: int = 50
) -> list[str]:
    found = database.call(lambda session: tasks.listing(session, node=node, before=before, limit=limit))
    return [task.id for task in found]


def pages(database: Database, *, limit: int) -> list[list[str]]:
    found: list[list[str]] = []
    before = None
    while page := ids_of(database, before=before, limit=limit):
        found.append(page)
        before = page[-1]
    return found


def test_task_id_starts_like_the_guides() -> None:
    before = int(time.time())
    match = re.fullmatch(r"task-(\d+)-[0-9a-f]{8,}", tasks.new_task_id())

    assert match is not None
    assert before <= int(match[1]) <= time.time()


def test_task_ids_are_unique() -> None:
    ids = [tasks.new_task_id() for _ in range(5000)]

    assert len(set(ids)) == 5000
    assert max(map(len, ids)) <= 64  # what the column holds


def test_newest_tasks_come_first(database: Database) -> None:
    old, new, middle = add_tasks(database, NOON, NOON + timedelta(seconds=2), NOON + timedelta(seconds=1))

    assert ids_of(database) == [new, middle, old]


def test_list_is_of_one_node_only(database: Database) -> None:
    ours = add_tasks(database, NOON)
    theirs = add_tasks(database, NOON, node="vps-1")

    assert ids_of(database) == ours
    assert ids_of(database, node="vps-1") == theirs
    assert ids_of(database, node="vps-2") == []


def test_list_is_narrowed_by_status_and_module(database: Database) -> None:
    first, second = add_tasks(database, NOON, NOON + timedelta(seconds=1))

    def arrange(session: Session) -> None:
        row = session.get(TaskRow, second)
        assert row is not None
        row.status = TaskStatus.RUNNING
        row.module = "skills"

    database.call(arrange)

    def listed(status: TaskStatus | None, module: str | None) -> list[str]:
        found = database.call(
            lambda session: tasks.listing(session, node="local", status=status, module=module)
        )
        return [task.id for task in found]

    assert listed(TaskStatus.QUEUED, None) == [first]
    assert listed(TaskStatus.RUNNING, None) == [second]
    assert listed(None, "gateway") == [first]
    assert listed(None, "skills") == [second]
    assert listed(TaskStatus.QUEUED, "skills") == []


def test_listed_tasks_bring_their_own_output(database: Database) -> None:
    first, second = add_tasks(database, NOON, NOON + timedelta(seconds=1))
    database.call(lambda session: tasks.add_output(session, first, first_seq=0, lines=["a", "b"]))

    found = database.call(lambda session: tasks.listing(session, node="local"))

    assert {task.id: task.output for task in found} == {first: ["a", "b"], second: []}


@pytest.mark.parametrize("limit", [1, 3, 10])
def test_pages_have_no_gap_and_no_duplicate_even_at_equal_times(database: Database, limit: int) -> None:
    later = NOON + timedelta(seconds=1)
    expected = sorted(add_tasks(database, *[later] * 2), reverse=True)
    expected += sorted(add_tasks(database, *[NOON] * 8), reverse=True)

    found = pages(database, limit=limit)

    assert [task_id for page in found for task_id in page] == expected
    assert {len(page) for page in found[:-1]} <= {limit}


def test_pages_stay_as_they_are_when_new_tasks_arrive(database: Database) -> None:
    old = sorted(add_tasks(database, *[NOON] * 4), reverse=True)
    first_page = ids_of(database, limit=2)
    add_tasks(database, NOON + timedelta(hours=1))

    assert first_page + ids_of(database, before=first_page[-1], limit=2) == old


def test_nothing_is_older_than_a_task_that_never_was(database: Database) -> None:
    add_tasks(database, NOON)

    assert ids_of(database, before="task-9999999999-ffffffff") == []
