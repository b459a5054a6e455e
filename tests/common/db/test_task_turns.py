"""Whose turn it is: first come, first served, per lane and lock; and messages that have to be sent anew."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from sqlmodel import Session

from buddy_common.db import task_claims
from buddy_common.db.engine import Database
from buddy_common.db.tables import TaskRow
from buddy_common.schemas import jobs
from buddy_common.schemas.gateway_jobs import RestartGatewayJob, StartGatewayJob, StopGatewayJob
from buddy_common.schemas.job import Job, Lane
from buddy_common.schemas.plugin_jobs import InstallPluginJob
from buddy_common.schemas.tasks import TaskStatus
from common.db.task_rows import add_task, bring_to, change, claim, row_of, sent_at, view
from common.racing import race

SECOND = timedelta(seconds=1)
GATEWAY_KINDS = [StartGatewayJob.task, StopGatewayJob.task, RestartGatewayJob.task]
NOT_QUEUED = [status for status in TaskStatus if status is not TaskStatus.QUEUED]


class FreeJob(Job):
    """A kind that needs no lock; none of the product's does so far."""

    task: ClassVar[str] = "test.free"
    title: ClassVar[str] = "Free"
    module: ClassVar[str] = "test"
    action: ClassVar[str] = "free"
    lane: ClassVar[Lane] = Lane.FAST
    deadline_seconds: ClassVar[float] = 1


@pytest.fixture
def free_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(jobs._BY_TASK, FreeJob.task, FreeJob)


def defer(database: Database, task_id: str) -> bool:
    return database.call(lambda session: task_claims.defer(session, task_id, stage="waiting for: x"))


def first_waiting(database: Database, *kinds: str, in_turn: bool, node: str = "local") -> str | None:
    row = database.call(
        lambda session: task_claims.first_waiting(session, node, kinds or GATEWAY_KINDS, in_turn=in_turn)
    )
    return None if row is None else row.id


def unclaimed(database: Database, *, seconds: float = 5, limit: int = 500) -> list[str]:
    def work(session: Session) -> list[str]:
        found = task_claims.unclaimed(session, "local", seconds=seconds, limit=limit)
        return [row.id for row in found]

    return database.call(work)


def take_message(database: Database, row: TaskRow) -> bool:
    return database.call(lambda session: task_claims.take_message(session, row))


def queued_before(database: Database, age: timedelta) -> list[str]:
    return database.call(
        lambda session: [row.id for row in task_claims.queued_before(session, "local", age=age)]
    )


def test_older_task_with_the_same_lock_comes_first(database: Database) -> None:
    older = add_task(database, StopGatewayJob(), age=SECOND)
    newer = add_task(database, StartGatewayJob())

    assert claim(database, newer) is None
    assert claim(database, older) == 1


def test_a_refused_claim_leaves_the_task_as_it_was(database: Database) -> None:
    add_task(database, age=SECOND)
    newer = add_task(database)
    before = row_of(database, newer).model_dump()

    claim(database, newer)

    assert row_of(database, newer).model_dump() == before


@pytest.mark.parametrize("status", NOT_QUEUED)
def test_older_task_that_has_left_the_queue_stands_in_nobodys_way(
    database: Database, status: TaskStatus
) -> None:
    """Whether it still runs is the lock's business."""
    older, newer = add_task(database, age=SECOND), add_task(database)
    bring_to(database, older, status)

    assert claim(database, newer) == 1


def test_older_task_of_another_node_stands_in_nobodys_way(database: Database) -> None:
    add_task(database, node="vps-1", age=SECOND)
    assert claim(database, add_task(database)) == 1


@pytest.mark.usefixtures("free_kind")
def test_older_task_that_needs_other_locks_stands_in_nobodys_way(database: Database) -> None:
    add_task(database, FreeJob(), age=SECOND)

    assert claim(database, add_task(database)) == 1


def test_older_task_in_the_other_lane_stands_in_nobodys_way(database: Database) -> None:
    slow = add_task(database, age=SECOND)
    change(database, slow, lane=Lane.SLOW)

    assert claim(database, add_task(database)) == 1


@pytest.mark.usefixtures("free_kind")
def test_tasks_without_a_lock_do_not_wait_for_each_other(database: Database) -> None:
    add_task(database, FreeJob(), age=SECOND)
    assert claim(database, add_task(database, FreeJob())) == 1


def test_of_tasks_of_the_same_moment_the_smaller_id_comes_first(database: Database) -> None:
    moment = datetime.now(UTC)
    first, second = sorted(add_task(database) for _ in range(2))
    for task_id in (first, second):
        change(database, task_id, queued_at=moment)

    assert claim(database, second) is None
    assert claim(database, first) == 1
    assert claim(database, second) == 1


def test_tasks_are_claimed_in_the_order_in_which_they_were_queued(database: Database) -> None:
    ids = [add_task(database, age=SECOND * age) for age in (5, 4, 3, 2, 1)]

    def take_any() -> str | None:
        return next((task_id for task_id in reversed(ids) if claim(database, task_id)), None)

    assert [take_any() for _ in ids] == ids


def test_deferred_task_says_why_and_has_no_message(database: Database) -> None:
    task_id = add_task(database)

    assert defer(database, task_id)

    assert view(database, task_id).status is TaskStatus.QUEUED
    assert view(database, task_id).stage == "waiting for: x"
    assert sent_at(database, task_id) is None


@pytest.mark.parametrize("status", NOT_QUEUED)
def test_task_that_is_not_queued_is_not_deferred(database: Database, status: TaskStatus) -> None:
    task_id = add_task(database)
    bring_to(database, task_id, status)
    before = row_of(database, task_id).model_dump()

    assert not defer(database, task_id)
    assert row_of(database, task_id).model_dump() == before


def test_running_rival_is_named(database: Database) -> None:
    def rival(kind: type[Job], node: str = "local") -> str | None:
        return database.call(lambda session: task_claims.running_rival(session, node, kind))

    add_task(database, node="vps-1")
    assert rival(StartGatewayJob) is None
    claim(database, add_task(database, StopGatewayJob()))

    assert rival(StartGatewayJob) == "Stop gateway"
    assert rival(FreeJob) is None
    assert rival(StartGatewayJob, "vps-1") is None


def test_in_turn_the_oldest_comes_and_only_if_it_waits(database: Database) -> None:
    older, newer = add_task(database, age=SECOND), add_task(database, StartGatewayJob())
    defer(database, newer)

    assert first_waiting(database, in_turn=True) is None  # the message of the older one is under way
    defer(database, older)
    assert first_waiting(database, in_turn=True) == older


def test_out_of_turn_the_oldest_that_waits_comes(database: Database) -> None:
    add_task(database, age=SECOND * 3)
    older, newer = add_task(database, age=SECOND), add_task(database)
    defer(database, newer)
    defer(database, older)

    assert first_waiting(database, in_turn=False) == older


@pytest.mark.parametrize("in_turn", [True, False])
def test_only_queued_tasks_of_the_node_and_the_kinds_wait(
    database: Database,
    in_turn: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    running = add_task(database, age=SECOND)
    claim(database, running)
    change(database, running, message_at=None)
    for job, node in ((InstallPluginJob(spec="a"), "local"), (RestartGatewayJob(), "vps-1")):
        defer(database, add_task(database, job, node=node))

    assert first_waiting(database, in_turn=in_turn) is None
    assert first_waiting(database, InstallPluginJob.task, in_turn=in_turn) is not None


def test_message_that_nobody_took_for_long_is_found_oldest_first(database: Database) -> None:
    newer, older = add_task(database, age=SECOND * 6), add_task(database, age=SECOND * 60)
    add_task(database, age=SECOND * 2)

    assert unclaimed(database) == [older, newer]
    assert unclaimed(database, limit=1) == [older]


def test_message_of_the_far_future_was_written_before_the_clock_was_set_back(database: Database) -> None:
    task_id, near = add_task(database), add_task(database)
    future = timedelta(seconds=task_claims.FUTURE_SECONDS)
    change(database, task_id, message_at=datetime.now(UTC) + future + SECOND * 5)
    change(database, near, message_at=datetime.now(UTC) + future - SECOND * 5)

    assert unclaimed(database) == [task_id]


def test_deferred_task_is_not_unclaimed_for_it_has_no_message(database: Database) -> None:
    defer(database, add_task(database, age=SECOND * 60))
    assert unclaimed(database) == []


@pytest.mark.parametrize("status", NOT_QUEUED)
def test_only_queued_tasks_of_the_node_are_unclaimed(database: Database, status: TaskStatus) -> None:
    bring_to(database, add_task(database, age=SECOND * 60), status)
    add_task(database, node="vps-1", age=SECOND * 60)

    assert unclaimed(database) == []


@pytest.mark.parametrize("deferred", [True, False])
def test_of_twenty_who_want_to_send_a_message_anew_exactly_one_does(
    database: Database,
    deferred: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    task_id = add_task(database, age=SECOND * 60)
    if deferred:
        defer(database, task_id)
    row = row_of(database, task_id)

    assert sorted(race(20, lambda: take_message(database, row))) == [*[False] * 19, True]

    sent = sent_at(database, task_id)
    assert sent is not None
    assert datetime.now(UTC) - sent < SECOND * 30


@pytest.mark.parametrize("status", NOT_QUEUED)
def test_message_of_a_task_that_has_left_the_queue_is_not_sent_anew(
    database: Database, status: TaskStatus
) -> None:
    row = row_of(database, add_task(database))
    bring_to(database, row.id, status)

    assert not take_message(database, row)


def test_task_that_was_deferred_meanwhile_is_left_to_who_deferred_it(database: Database) -> None:
    row = row_of(database, add_task(database, age=SECOND * 60))
    defer(database, row.id)

    assert not take_message(database, row)
    assert sent_at(database, row.id) is None


def test_tasks_queued_for_too_long_are_found_whether_or_not_they_wait(database: Database) -> None:
    day = timedelta(days=1)
    old, waiting = add_task(database, age=day + SECOND), add_task(database, age=day + SECOND)
    defer(database, waiting)
    add_task(database, age=day - SECOND * 30)
    add_task(database, node="vps-1", age=day * 2)
    done = add_task(database, InstallPluginJob(spec="a"), age=day * 2)
    bring_to(database, done, TaskStatus.COMPLETED)

    assert sorted(queued_before(database, day)) == sorted([old, waiting])
