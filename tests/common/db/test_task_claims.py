"""Claims: one owner at a time, and one outcome."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import Session

from buddy_common.db import task_claims
from buddy_common.db.engine import Database
from buddy_common.db.tables import TaskRow
from buddy_common.schemas.plugin_jobs import InstallPluginJob
from buddy_common.schemas.tasks import TaskStatus
from common.db.task_rows import add_task, bring_to, change, claim, finish, row_of, view
from common.racing import race


def fail_unpublished(database: Database, task_id: str) -> bool:
    return database.call(
        lambda session: task_claims.fail_unpublished(
            session, task_id, error="Redis is gone.", error_code="broker_unavailable"
        )
    )


def repeat(database: Database, task_id: str, epoch: int = 1) -> bool:
    return database.call(lambda session: task_claims.repeat(session, task_id, epoch=epoch))


def one_of_each(*contenders: Callable[[], bool], turn: int) -> list[bool]:
    """Let both set off at once; neither has the better start."""
    waiting = list(contenders[:: -1 if turn % 2 else 1])
    return sorted(race(len(waiting), lambda: waiting.pop()()))  # noqa: PLW0108 - each thread takes one


def test_claimed_task_runs_and_names_its_owner(database: Database) -> None:
    task_id = add_task(database)

    assert claim(database, task_id, "worker-7") == 1

    assert view(database, task_id).status is TaskStatus.RUNNING
    assert view(database, task_id).startTime is not None
    assert row_of(database, task_id).owner == "worker-7"


def test_claim_returns_the_row_as_it_is_now_even_if_it_was_read_before(database: Database) -> None:
    task_id = add_task(database, InstallPluginJob(spec="a"))

    def work(session: Session) -> tuple[str, int, str | None]:
        before = session.get(TaskRow, task_id)
        assert before is not None
        row = task_claims.claim(session, task_id, InstallPluginJob, owner="worker-1")
        assert row is not None
        return row.status, row.epoch, row.owner

    assert database.call(work) == ("Running", 1, "worker-1")


def test_of_twenty_claims_at_once_exactly_one_wins(database: Database) -> None:
    task_id = add_task(database)

    epochs = race(20, lambda: claim(database, task_id))

    assert sorted(epochs, key=str) == [1, *[None] * 19]
    assert row_of(database, task_id).epoch == 1


@pytest.mark.parametrize("status", [status for status in TaskStatus if status is not TaskStatus.QUEUED])
def test_task_that_is_not_queued_cannot_be_claimed(database: Database, status: TaskStatus) -> None:
    task_id = add_task(database)
    bring_to(database, task_id, status)

    assert claim(database, task_id, "worker-2") is None
    assert row_of(database, task_id).owner == "worker-1"


def test_claim_of_an_unknown_task_is_none(database: Database) -> None:
    assert claim(database, "task-0-0") is None


def test_claim_forgets_for_what_the_task_waited(database: Database) -> None:
    task_id = add_task(database)
    change(database, task_id, stage="waiting for: Start gateway")

    claim(database, task_id)

    assert view(database, task_id).stage is None


def test_report_shows_at_once(database: Database) -> None:
    task_id = add_task(database)
    claim(database, task_id)

    assert database.call(
        lambda session: task_claims.report(
            session, task_id, epoch=1, stage="starting", progress=60, command="x y"
        )
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
    change(database, task_id, progress=50)

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
    assert repeat(database, task_id)
    current = claim(database, task_id, "worker-2")
    assert (stale, current) == (1, 2)
    before = row_of(database, task_id).model_dump()

    assert not database.call(
        lambda session: task_claims.report(session, task_id, epoch=1, stage="late", progress=99)
    )
    assert not finish(database, task_id, epoch=1, status=TaskStatus.FAILED, error="late")
    assert not repeat(database, task_id, epoch=1)

    assert row_of(database, task_id).model_dump() == before
    assert finish(database, task_id, epoch=2, status=TaskStatus.COMPLETED)


def test_task_that_has_ended_stays_as_it_ended(database: Database) -> None:
    task_id = add_task(database)
    claim(database, task_id)
    finish(database, task_id, epoch=1, status=TaskStatus.TIMEOUT, error="too slow")
    before = row_of(database, task_id).model_dump()

    assert not finish(database, task_id, epoch=1, status=TaskStatus.COMPLETED)
    assert not database.call(lambda session: task_claims.report(session, task_id, epoch=1, stage="late"))
    assert not repeat(database, task_id)

    assert row_of(database, task_id).model_dump() == before


def test_running_tasks_are_those_of_the_node(database: Database) -> None:
    ours, theirs, queued = add_task(database), add_task(database, node="vps-1"), add_task(database)
    claim(database, ours)
    claim(database, theirs)

    running = database.call(lambda session: task_claims.running(session, "local"))

    assert [row.id for row in running] == [ours]
    assert view(database, queued).status is TaskStatus.QUEUED


def test_repeated_task_is_queued_without_owner_program_or_message(database: Database) -> None:
    task_id = add_task(database)
    claim(database, task_id)
    change(database, task_id, process={"pid": 1}, progress=60)

    assert repeat(database, task_id)

    row = row_of(database, task_id)
    assert (row.status, row.owner, row.process, row.message_at) == ("Queued", None, None, None)
    assert (row.progress, row.epoch) == (0, 1)
    assert row.stage == "its worker died; it runs once more"


def test_repetition_keeps_the_time_of_the_first_start(database: Database) -> None:
    task_id = add_task(database)
    claim(database, task_id)
    first = datetime.now(UTC) - timedelta(minutes=5)
    change(database, task_id, started_at=first)
    repeat(database, task_id)

    assert claim(database, task_id) == 2

    assert row_of(database, task_id).started_at == first


def test_task_that_somebody_wants_cancelled_is_not_repeated(database: Database) -> None:
    task_id = add_task(database)
    claim(database, task_id)
    database.call(lambda session: task_claims.ask_to_cancel(session, task_id))

    assert not repeat(database, task_id)

    assert view(database, task_id).status is TaskStatus.RUNNING


@pytest.mark.parametrize("turn", range(10))
def test_of_a_cancel_and_a_repetition_at_once_one_wins(database: Database, turn: int) -> None:
    task_id = add_task(database)
    claim(database, task_id)

    outcomes = one_of_each(
        lambda: repeat(database, task_id),
        lambda: database.call(lambda session: task_claims.ask_to_cancel(session, task_id)),
        turn=turn,
    )

    assert outcomes == [False, True]


def test_unpublished_task_fails(database: Database) -> None:
    task_id = add_task(database)

    assert fail_unpublished(database, task_id)

    task = view(database, task_id)
    assert (task.status, task.errorCode) == (TaskStatus.FAILED, "broker_unavailable")
    assert task.endTime is not None
    assert claim(database, task_id) is None


def test_unpublished_task_frees_its_key(database: Database) -> None:
    task_id = add_task(database, idempotency_key="a")

    fail_unpublished(database, task_id)

    row = row_of(database, task_id)
    assert (row.idempotency_key, row.fingerprint) == (None, None)
    assert add_task(database, idempotency_key="a")


def test_task_that_a_worker_has_all_the_same_is_left_to_it(database: Database) -> None:
    task_id = add_task(database, idempotency_key="a")
    claim(database, task_id)

    assert not fail_unpublished(database, task_id)

    assert view(database, task_id).status is TaskStatus.RUNNING
    assert row_of(database, task_id).idempotency_key == "a"


@pytest.mark.parametrize("turn", range(10))
def test_of_a_claim_and_a_failed_publication_at_once_one_wins(database: Database, turn: int) -> None:
    task_id = add_task(database)

    outcomes = one_of_each(
        lambda: claim(database, task_id) == 1, lambda: fail_unpublished(database, task_id), turn=turn
    )

    assert outcomes == [False, True]
