"""A claimed job: where it reports stage, progress and output. Rows are the truth, the stream is live."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog
from sqlmodel import Session

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.db import events, tasks
from buddy_common.errors import BrokerUnavailableError
from buddy_common.log import mask
from buddy_common.schemas.events import EventStatus
from buddy_common.schemas.jobs import Job
from buddy_common.schemas.tasks import TaskStatus
from buddy_worker.wiring import Wiring

log = structlog.get_logger(__name__)

FLUSH_SECONDS = 0.1
FLUSH_LINES = 20
MAX_LINE_CHARACTERS = 2000
MAX_LINES = 20_000

AnyJob = TypeVar("AnyJob", bound=Job)


@dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    status: TaskStatus
    result: dict[str, Any] | None = None
    error: str | None = None
    error_code: str | None = None


class RunningJob(Generic[AnyJob]):
    """The Progress of one claimed job. Lines are written in batches; a stage flushes them."""

    def __init__(self, wiring: Wiring, task_id: str, epoch: int, payload: AnyJob) -> None:
        self.task_id = task_id
        self.payload = payload
        self._wiring = wiring
        self._epoch = epoch
        self._lines: list[str] = []
        self._written = 0
        self._flushed_at = 0.0
        self._stage: tuple[str, int] | None = None
        self._flushing = asyncio.Lock()

    @property
    def host(self) -> HostPlane:
        """What the job acts on."""
        return self._wiring.host

    async def stage(self, name: str, percent: int) -> None:
        """Say what happens now; the same stage again costs nothing."""
        if self._stage == (name, percent):
            return
        self._stage = (name, percent)
        await self.flush()
        await self._report(stage=name, progress=percent)
        await self._announce([{"stage": name, "progress": str(percent)}])

    async def line(self, text: str) -> None:
        """Add one line to the output; secrets masked, length and number bounded."""
        if self._written + len(self._lines) >= MAX_LINES:
            return
        self._lines.append(mask(text.replace("\x00", ""))[:MAX_LINE_CHARACTERS])
        due = time.monotonic() - self._flushed_at >= FLUSH_SECONDS
        if due or len(self._lines) >= FLUSH_LINES:
            await self.flush()

    async def command(self, text: str) -> None:
        """Name the program that the job runs."""
        await self._report(command=mask(text))

    async def waits_for_lock(self) -> None:
        """Say that another job of this node has to end first."""
        await self.stage("waiting for another lifecycle job", 0)

    async def flush(self) -> None:
        """Write the lines that are still held back."""
        async with self._flushing:
            lines, self._lines = self._lines, []
            self._flushed_at = time.monotonic()
            if not lines:
                return
            first = self._written
            self._written += len(lines)
            await self._wiring.database.run(
                lambda session: tasks.add_output(session, self.task_id, first_seq=first, lines=lines)
            )
            await self._announce([{"line": line} for line in lines])

    async def finish(self, outcome: Outcome) -> None:
        """Record the outcome in the row and in the audit, in one transaction."""
        await self.flush()
        error = None if outcome.error is None else mask(outcome.error)
        completed = outcome.status is TaskStatus.COMPLETED

        def record(session: Session) -> None:
            ours = tasks.finish(
                session,
                self.task_id,
                epoch=self._epoch,
                status=outcome.status,
                result=outcome.result,
                error=error,
                error_code=outcome.error_code,
            )
            if ours:
                event = EventStatus.SUCCESS if completed else EventStatus.FAILED
                events.close(session, self.task_id, status=event, detail=error)

        await self._wiring.database.run(record)
        await self._announce([{"status": outcome.status}])

    async def _report(self, **fields: Any) -> None:
        await self._wiring.database.run(
            lambda session: tasks.report(session, self.task_id, epoch=self._epoch, **fields)
        )

    async def _announce(self, entries: list[dict[str, str]]) -> None:
        try:
            await self._wiring.stream.append(self.task_id, entries)
        except BrokerUnavailableError as exc:  # the row has it; only the live view lags
            log.warning("task_stream_unavailable", task_id=self.task_id, reason=exc.message)
