"""Real worker processes on a broker of their own, and the sending side."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from celery import Celery
from sqlmodel import Session

from buddy_common.db import tasks
from buddy_common.db.engine import Database, open_engine
from buddy_common.schemas.job import Job, JobMessage, Lane, queue_name
from buddy_common.schemas.tasks import TaskStatus, TaskView
from fakes.openclaw_program import FakeOpenClaw

_Value = TypeVar("_Value")


class Worker:
    """A worker process that can be killed and started again, and what sends jobs to it."""

    def __init__(
        self, *, database_url: str, broker_url: str, fake: FakeOpenClaw, home: Path, lane: Lane = Lane.FAST
    ) -> None:
        self.fake = fake
        self.lane = lane
        self.database = Database(open_engine(database_url))
        self.producer = Celery("test", broker=broker_url, set_as_current=False)
        self._environment = os.environ | {
            "BUDDY_HOME": str(home),
            "BUDDY_REDIS_URL": broker_url,
            "BUDDY_DATABASE_URL": database_url,
            "BUDDY_OPENCLAW": str(fake.program),
            "OPENCLAW_CONFIG_DIR": str(fake.config_dir),
        }
        self.process = self.spawn()

    def spawn(self) -> "subprocess.Popen[bytes]":
        """Start the process, anew when it was killed."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "buddy_worker", "--lane", self.lane],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return self.process

    def kill(self) -> None:
        """SIGKILL: it has no time for anything."""
        self.process.kill()
        self.process.wait(timeout=10)

    def add(self, job: Job) -> str:
        """Write a row without a message, as an api that is killed in between."""
        return self.database.call(lambda session: _add(session, job))

    def send(self, task_id: str, job: Job) -> None:
        """Send the message of a row."""
        self.producer.send_task(
            job.task,
            kwargs=JobMessage(task_id=task_id).model_dump(),
            task_id=task_id,
            queue=queue_name("local", job.lane),
            ignore_result=True,
        )

    def submit(self, job: Job, *, copies: int = 1) -> str:
        """Write a row and send its message, more than once if wanted."""
        task_id = self.add(job)
        for _ in range(copies):
            self.send(task_id, job)
        return task_id

    def view(self, task_id: str) -> TaskView:
        """Return the task as clients see it."""
        found = self.database.call(lambda session: tasks.view(session, task_id))
        assert found is not None
        return found

    def reaches(self, task_id: str, *states: TaskStatus) -> TaskView:
        """Wait until the task is in one of these states."""
        return until(lambda: self.view(task_id), lambda task: task.status in states)

    def close(self) -> None:
        """End the process and let go of everything."""
        self.kill()
        self.producer.close()
        self.database.engine.dispose()


def _add(session: Session, job: Job) -> str:
    return tasks.add(session, job, node="local", actor="admin").id


def until(look: Callable[[], _Value], good: Callable[[_Value], bool], seconds: float = 40) -> _Value:
    """Look until it is good."""
    deadline = time.monotonic() + seconds
    while not good(value := look()):
        assert time.monotonic() < deadline, value
        time.sleep(0.05)
    return value
