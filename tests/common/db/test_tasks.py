"""The task table: what a new row says, and how it is found again."""

from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import IntegrityError

from buddy_common.db import tasks
from buddy_common.db.engine import Database
from buddy_common.schemas.gateway_jobs import RestartGatewayJob, StopGatewayJob
from buddy_common.schemas.job import Job
from buddy_common.schemas.plugin_jobs import InstallPluginJob
from buddy_common.schemas.tasks import TaskStatus
from common.db.task_rows import add_task, bring_to, claim, row_of, view
from common.racing import race


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


def test_the_message_of_an_added_task_is_about_to_be_sent(database: Database) -> None:
    row = row_of(database, add_task(database))
    assert row.message_at == row.queued_at


def test_unknown_task_has_no_view(database: Database) -> None:
    assert database.call(lambda session: tasks.view(session, "task-0-0")) is None


def test_view_says_how_often_the_task_was_taken_and_which_one_it_repeats(database: Database) -> None:
    first = add_task(database)
    second = add_task(database, retry_of=first)
    bring_to(database, first, TaskStatus.FAILED)

    assert (view(database, first).attempts, view(database, first).retryOf) == (1, None)
    assert (view(database, second).attempts, view(database, second).retryOf) == (0, first)


def test_task_is_found_by_the_key_of_its_actor(database: Database) -> None:
    task_id = add_task(database, idempotency_key="a")
    add_task(database, idempotency_key="b")

    def found(actor: str, key: str) -> str | None:
        row = database.call(lambda session: tasks.with_key(session, actor=actor, idempotency_key=key))
        return None if row is None else row.id

    assert found("admin", "a") == task_id
    assert found("admin", "c") is None
    assert found("somebody", "a") is None


def test_key_comes_once_per_actor(database: Database) -> None:
    add_task(database, idempotency_key="a")

    with pytest.raises(IntegrityError):
        add_task(database, idempotency_key="a")

    def add_another(actor: str) -> str:
        return database.call(
            lambda session: (
                tasks.add(session, RestartGatewayJob(), node="local", actor=actor, idempotency_key="a").id
            )
        )

    assert add_another("somebody")


def test_any_number_of_tasks_may_have_no_key(database: Database) -> None:
    assert len({add_task(database) for _ in range(3)}) == 3


def test_of_twenty_tasks_with_one_key_at_once_exactly_one_is_added(database: Database) -> None:
    def add() -> str | None:
        try:
            return add_task(database, idempotency_key="a")
        except IntegrityError:
            return None

    added = [task_id for task_id in race(20, add) if task_id is not None]

    assert len(added) == 1


def test_fingerprint_is_kept_with_the_key_only(database: Database) -> None:
    job = StopGatewayJob(force=True)

    assert row_of(database, add_task(database, job)).fingerprint is None
    row = row_of(database, add_task(database, job, idempotency_key="a", retry_of="task-1"))

    assert row.fingerprint == tasks.fingerprint(job, node="local", retry_of="task-1")


def test_requests_that_ask_for_the_same_have_the_same_fingerprint() -> None:
    assert tasks.fingerprint(StopGatewayJob(), node="a") == tasks.fingerprint(
        StopGatewayJob(force=False), node="a"
    )


@pytest.mark.parametrize(
    ("job", "node", "retry_of"),
    [
        (StopGatewayJob(force=True), "a", None),
        (RestartGatewayJob(), "a", None),
        (StopGatewayJob(), "b", None),
        (StopGatewayJob(), "a", "task-1"),
        (InstallPluginJob(spec="a"), "a", None),
    ],
)
def test_requests_that_ask_for_something_else_have_another_fingerprint(
    job: Job, node: str, retry_of: str | None
) -> None:
    assert tasks.fingerprint(job, node=node, retry_of=retry_of) != tasks.fingerprint(
        StopGatewayJob(), node="a"
    )


def test_requests_whose_secrets_differ_have_another_fingerprint() -> None:
    digests = (None, "a", "b")
    found = {tasks.fingerprint(StopGatewayJob(), node="a", secret_digest=digest) for digest in digests}

    assert len(found) == len(digests)


def test_tasks_are_counted_by_node_and_status(database: Database) -> None:
    claim(database, add_task(database))
    for node in ("local", "local", "vps-1"):
        add_task(database, node=node)

    counts = database.call(tasks.count_by_status)

    assert counts == {("local", "Queued"): 2, ("local", "Running"): 1, ("vps-1", "Queued"): 1}
