"""How a job's handler becomes the Celery task that the api names."""

from collections.abc import Awaitable, Callable

from celery import shared_task
from pydantic import BaseModel

from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.runner import JobNotCompletedError, run_job

EXPECTED = (JobNotCompletedError,)  # logged in one line, without a traceback

Handler = Callable[[RunningJob[AnyJob]], Awaitable[BaseModel]]


def handles(kind: type[AnyJob]) -> Callable[[Handler[AnyJob]], Handler[AnyJob]]:
    """Have the decorated function run the jobs of this kind."""

    def register(handler: Handler[AnyJob]) -> Handler[AnyJob]:
        def run(task_id: str) -> None:
            run_job(task_id, kind, handler)

        shared_task(name=kind.task, throws=EXPECTED)(run)
        return handler

    return register
