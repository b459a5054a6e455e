"""The task table: claims and outcomes."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import Session, select

from buddy_common.db import tasks
from buddy_common.db.engine import Database
from buddy_common.db.tables import TaskRow
from buddy_common.schemas.jobs import Job, RestartGatewayJob, StopGatewayJob
from buddy_common.schemas.tasks import TaskStatus, TaskView
from common.racing import race


def add_task(database: Database, job: Job | None = None, *, node: str = "local") -> str:
    return database.call(
        lambda session: tasks.add(session, job or RestartGatewayJob(), node=node, actor="admin").id
    )


def claim(database: Database, task_id: str, owner: str = "worker-1") -> int | None:
    """Return the epoch of the claim, None when somebody else has the task."""

    def work(session: Session) -> int | None:
        row = tasks.claim(session, task_id, owner=owner)
        return None if row is None else row.epoch

    return database.call(work)


def view(database: Database, task_id: str) -> TaskView:
    found = database.call(lambda session: tasks.view(session, task_id))
    assert found is not None
    return found


def row_of(database: Database, task_id: str) -> TaskRow:
    return database.call(lambda session: session.exec(select(TaskRow).where(TaskRow.id == task_id)).one())


def queue_again(database: Database, task_id: str) -> None:
    def work(session: Session) -> None:
        row = session.exec(select(TaskRow).where(TaskRow.id == task_id)).one()
        row.status = TaskStatus.QUEUED

    database.call(work)


def test_added_task_is_queued_with_all_that_its_job_says(database: Database) -> None:
    before = datetime.now(UTC)
    task_id = add_task(database, StopGatewayJob(force=True), node="vps-1")

    task = view(database, task_id)
    row = row_of(database, task_id)

    assert task.status is TaskStatus.QUEUED
    assert (task.id, task.taskID) == (task_id, task_id)
    assert (task.name, task.module, task.action) == ("Stop gateway", "gateway", "stop")
    assert (task.target, task.node, task.actor) == ("gateway", "vps-1", "admin")
    assert before <= task.queuedAt <= datetime.now(UTC)
    assert (task.progress, task.output, task.startTime, task.endTime) == (0, [], None, None)
    assert (row.kind, row.lane, row.payload) == ("buddy.gateway.stop", "fast", {"force": True})


def test_unknown_task_has_no_view(database: Database) -> None:
    assert database.call(lambda session: tasks.view(session, "task-0-0")) is None


def test_claimed_task_runs_and_names_its_owner(database: Database) -> None:
    task_id = add_task(database)

    assert claim(database, task_id, "worker-7") == 1

    assert view(database, task_id).status is TaskStatus.RUNNING
    assert view(database, task_id).startTime is not None
    assert row_of(database, task_id).owner == "worker-7"


def test_of_twenty_claims_at_once_exactly_one_wins(database: Database) -> None:
    task_id = add_task(database)

    epochs = race(20, lambda: claim(database, task_id))

    assert sorted(epochs, key=str) == [1, *[None] * 19]
    assert row_of(database, task_id).epoch == 1


@pytest.mark.parametrize("status", [status for status in TaskStatus if status is not TaskStatus.QUEUED])
def test_task_that_is_not_queued_cannot_be_claimed(database: Database, status: TaskStatus) -> None:
    task_id = add_task(database)
    epoch = claim(database, task_id)
    assert epoch is not None
    database.call(lambda session: tasks.report(session, task_id, epoch=epoch, status=status))

    assert claim(database, task_id, "worker-2") is None
    assert row_of(database, task_id).owner == "worker-1"


def test_claim_of_an_unknown_task_is_none(database: Database) -> None:
    assert claim(database, "task-0-0") is None


def test_report_shows_at_once(database: Database) -> None:
    task_id = add_task(database)
    claim(database, task_id)

    assert database.call(
        lambda session: tasks.report(session, task_id, epoch=1, stage="starting", progress=60, command="x y")
    )

    task = view(database, task_id)
    assert (task.stage, task.progress, task.command) == ("starting", 60, "x y")


def test_completed_task_is_at_a_hundred_percent_with_its_result(database: Database) -> None:
    task_id = add_task(database)
    claim(database, task_id)

    assert finish(database, task_id, epoch=1, status=TaskStatus.COMPLETED, result={"pid": 7})

    task = view(database, task_id)
    assert (task.status, task.progress, task.result) == (TaskStatus.COMPLETED, 100, {"pid": 7})
    assert task.error is None
    assert task.endTime is not None
    assert task.startTime is not None
    assert task.startTime <= task.endTime


def test_failed_task_keeps_its_progress_and_says_why(database: Database) -> None:
    task_id = add_task(database)
    claim(database, task_id)
    database.call(lambda session: tasks.report(session, task_id, epoch=1, progress=50))

    assert finish(
        database,
        task_id,
        epoch=1,
        status=TaskStatus.FAILED,
        error="Exit 78.",
        error_code="gateway_start_failed",
    )

    task = view(database, task_id)
    assert (task.status, task.progress, task.result) == (TaskStatus.FAILED, 50, None)
    assert (task.error, task.errorCode) == ("Exit 78.", "gateway_start_failed")


def test_worker_that_lost_its_claim_changes_nothing(database: Database) -> None:
    task_id = add_task(database)
    stale = claim(database, task_id, "worker-1")
    queue_again(database, task_id)
    current = claim(database, task_id, "worker-2")
    assert (stale, current) == (1, 2)
    before = row_of(database, task_id).model_dump()

    assert not database.call(
        lambda session: tasks.report(session, task_id, epoch=1, stage="late", progress=99)
    )
    assert not finish(database, task_id, epoch=1, status=TaskStatus.FAILED, error="late")

    assert row_of(database, task_id).model_dump() == before
    assert finish(database, task_id, epoch=2, status=TaskStatus.COMPLETED)


def test_task_that_has_ended_stays_as_it_ended(database: Database) -> None:
    task_id = add_task(database)
    claim(database, task_id)
    finish(database, task_id, epoch=1, status=TaskStatus.TIMEOUT, error="too slow")
    before = row_of(database, task_id).model_dump()

    assert not finish(database, task_id, epoch=1, status=TaskStatus.COMPLETED)
    assert not database.call(lambda session: tasks.report(session, task_id, epoch=1, stage="late"))

    assert row_of(database, task_id).model_dump() == before


def test_unpublished_task_fails(database: Database) -> None:
    task_id = add_task(database)

    assert fail_unpublished(database, task_id)

    task = view(database, task_id)
    assert (task.status, task.errorCode) == (TaskStatus.FAILED, "broker_unavailable")
    assert task.endTime is not None
    assert claim(database, task_id) is None


def test_task_that_a_worker_has_all_the_same_is_left_to_it(database: Database) -> None:
    task_id = add_task(database)
    claim(database, task_id)

    assert not fail_unpublished(database, task_id)

    assert view(database, task_id).status is TaskStatus.RUNNING


@pytest.mark.parametrize("turn", range(10))
def test_of_a_claim_and_a_failed_publication_at_once_one_wins(database: Database, turn: int) -> None:
    task_id = add_task(database)
    contenders = [lambda: claim(database, task_id) == 1, lambda: fail_unpublished(database, task_id)]
    contenders = contenders[:: -1 if turn % 2 else 1]  # neither has the better start

    outcomes = race(2, lambda: contenders.pop()())  # noqa: PLW0108 - each thread takes one

    assert sorted(outcomes) == [False, True]


def finish(database: Database, task_id: str, **outcome: Any) -> bool:
    return database.call(lambda session: tasks.finish(session, task_id, **outcome))


def fail_unpublished(database: Database, task_id: str) -> bool:
    return database.call(
        lambda session: tasks.fail_unpublished(
            session, task_id, error="Redis is gone.", error_code="broker_unavailable"
        )
    )
