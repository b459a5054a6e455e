"""The api sends jobs by name: for each there must be a task in the worker, under exactly that name."""

import pytest
from celery import Celery

from buddy_common.schemas.job import Job, JobMessage, Lane
from buddy_common.schemas.jobs import ALL_JOBS
from buddy_worker.celery_app import build_app
from buddy_worker.wiring import WorkerConfig


@pytest.fixture
def worker_app(monkeypatch: pytest.MonkeyPatch) -> Celery:
    monkeypatch.setenv("BUDDY_REDIS_URL", "redis://127.0.0.1:1/0")
    app = build_app(WorkerConfig.from_environment(Lane.FAST))
    app.loader.import_default_modules()
    app.finalize()
    return app


def all_job_kinds(base: type[Job] = Job) -> set[type[Job]]:
    kinds = {kind for kind in base.__subclasses__() if hasattr(kind, "task") and _is_ours(kind)}
    return kinds.union(*(all_job_kinds(kind) for kind in base.__subclasses__()))


def _is_ours(kind: type[Job]) -> bool:
    """Other tests make up kinds of their own."""
    return kind.__module__.startswith("buddy_")


def test_every_kind_of_job_is_listed() -> None:
    assert set(ALL_JOBS) == all_job_kinds()


@pytest.mark.parametrize("job", ALL_JOBS)
def test_the_worker_has_a_task_for_every_job(job: type[Job], worker_app: Celery) -> None:
    assert job.task in worker_app.tasks


@pytest.mark.parametrize("job", ALL_JOBS)
def test_the_workers_task_takes_the_message_that_the_api_sends(job: type[Job], worker_app: Celery) -> None:
    message = JobMessage(task_id="task-1-x").model_dump()
    assert set(message) == {"task_id"}
    assert worker_app.tasks[job.task].run.__code__.co_varnames[:1] == ("task_id",)


def test_tasks_are_acknowledged_before_they_run_and_never_retried_by_celery(
    worker_app: Celery,
) -> None:
    assert worker_app.conf.task_acks_late is False
    assert worker_app.conf.worker_disable_prefetch is True
    for job in ALL_JOBS:
        assert not getattr(worker_app.tasks[job.task], "autoretry_for", ())
