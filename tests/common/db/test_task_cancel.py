"""Ending a task that is not wanted any more."""

import pytest

from buddy_common.db import task_claims
from buddy_common.db.engine import Database
from buddy_common.schemas.tasks import TaskStatus
from common.db.task_rows import add_task, bring_to, claim, finish, row_of, view
from common.racing import race


def end_queued(database: Database, task_id: str) -> bool:
    return database.call(
        lambda session: task_claims.end_queued(
            session, task_id, status=TaskStatus.CANCELLED, error="Cancelled.", error_code="cancelled"
        )
    )


def ask_to_cancel(database: Database, task_id: str) -> bool:
    return database.call(lambda session: task_claims.ask_to_cancel(session, task_id))


def to_cancel(database: Database, owner: str = "worker-1") -> list[str]:
    return database.call(lambda session: task_claims.to_cancel(session, owner=owner))


def test_queued_task_ends_with_its_reason(database: Database) -> None:
    task_id = add_task(database)

    assert end_queued(database, task_id)

    task = view(database, task_id)
    assert (task.status, task.error, task.errorCode) == (TaskStatus.CANCELLED, "Cancelled.", "cancelled")
    assert task.endTime is not None
    assert (task.startTime, task.attempts) == (None, 0)


def test_task_that_ended_in_the_queue_keeps_its_key(database: Database) -> None:
    task_id = add_task(database, idempotency_key="a")
    end_queued(database, task_id)
    assert row_of(database, task_id).idempotency_key == "a"


@pytest.mark.parametrize("status", [status for status in TaskStatus if status is not TaskStatus.QUEUED])
def test_task_that_is_not_queued_does_not_end_so(database: Database, status: TaskStatus) -> None:
    task_id = add_task(database)
    bring_to(database, task_id, status)
    before = row_of(database, task_id).model_dump()

    assert not end_queued(database, task_id)
    assert row_of(database, task_id).model_dump() == before


@pytest.mark.parametrize("turn", range(10))
def test_of_a_claim_and_a_cancel_at_once_one_wins(database: Database, turn: int) -> None:
    task_id = add_task(database)
    contenders = [lambda: claim(database, task_id) == 1, lambda: end_queued(database, task_id)]
    contenders = contenders[:: -1 if turn % 2 else 1]  # neither has the better start

    outcomes = race(2, lambda: contenders.pop()())  # noqa: PLW0108 - each thread takes one

    assert sorted(outcomes) == [False, True]


def test_owner_of_a_running_task_is_asked_to_end_it(database: Database) -> None:
    task_id, other = add_task(database), add_task(database)
    claim(database, task_id, "worker-1")
    claim(database, other, "worker-2")

    assert ask_to_cancel(database, task_id)

    assert to_cancel(database, "worker-1") == [task_id]
    assert to_cancel(database, "worker-2") == []


def test_second_request_keeps_the_time_of_the_first(database: Database) -> None:
    task_id = add_task(database)
    claim(database, task_id)
    ask_to_cancel(database, task_id)
    first = row_of(database, task_id).cancel_at

    assert ask_to_cancel(database, task_id)

    assert row_of(database, task_id).cancel_at == first


@pytest.mark.parametrize("status", [status for status in TaskStatus if status is not TaskStatus.RUNNING])
def test_nobody_is_asked_to_end_a_task_that_does_not_run(database: Database, status: TaskStatus) -> None:
    task_id = add_task(database)
    bring_to(database, task_id, status)

    assert not ask_to_cancel(database, task_id)

    assert row_of(database, task_id).cancel_at is None


def test_task_that_has_ended_is_no_longer_to_be_cancelled(database: Database) -> None:
    task_id = add_task(database)
    claim(database, task_id)
    ask_to_cancel(database, task_id)

    finish(database, task_id, epoch=1, status=TaskStatus.CANCELLED)

    assert to_cancel(database) == []
