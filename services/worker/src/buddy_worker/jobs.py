"""A claimed job: where it reports stage, progress and output. Rows are the truth, the stream is live."""

import asyncio
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog
from sqlmodel import Session
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.db import events, tasks
from buddy_common.errors import BrokerUnavailableError, DatabaseUnavailableError
from buddy_common.log import mask
from buddy_common.schemas.events import EventStatus
from buddy_common.schemas.jobs import Job
from buddy_common.schemas.tasks import TaskStatus
from buddy_worker.wiring import Wiring

log = structlog.get_logger(__name__)

FLUSH_SECONDS = 0.1
FLUSH_LINES = 20
MAX_LINE_CHARACTERS = 2000
MAX_STAGE_CHARACTERS = 128  # the column's width
MAX_ERROR_CHARACTERS = 20_000
FINISH_SECONDS = 300.0
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
        self._stage: tuple[str, int] | None = None
        self._flushing = asyncio.Lock()
        self._flush_task: asyncio.Task[None] | None = None
        self._later: asyncio.Task[None] | None = None

    @property
    def host(self) -> HostPlane:
        """What the job acts on."""
        return self._wiring.host

    @property
    def lifecycle_line(self) -> asyncio.Lock:
        """Where jobs of this process that exclude each other wait, in the order of their coming."""
        return self._wiring.lifecycle_line

    async def stage(self, name: str, percent: int) -> None:
        """Say what happens now; the same stage again costs nothing."""
        if self._stage == (name, percent):
            return
        self._stage = (name, percent)
        await self.flush()
        text = _clean(name, MAX_STAGE_CHARACTERS)
        await self._report(stage=text, progress=percent)
        await self._announce([{"stage": text, "progress": str(percent)}])

    async def line(self, text: str) -> None:
        """Add one line to the output; secrets masked, length and number bounded."""
        if self._written + len(self._lines) >= MAX_LINES:
            return
        self._lines.append(_clean(text, MAX_LINE_CHARACTERS))
        if len(self._lines) >= FLUSH_LINES:
            await self.flush()
        elif self._later is None:
            self._later = asyncio.create_task(self._flush_later())

    async def command(self, text: str) -> None:
        """Name the program that the job runs."""
        await self._report(command=_clean(text, MAX_LINE_CHARACTERS))

    async def waits_for_lock(self) -> None:
        """Say that another job of this node has to end first."""
        await self.stage("waiting for another lifecycle job", 0)

    async def flush(self) -> None:
        """Write the lines that are still held back; what cannot be written now is kept for later.

        A job that is cancelled meanwhile does not cancel the write: its lines would be written twice.
        """
        self._flush_task = asyncio.create_task(self._flush())
        await asyncio.shield(self._flush_task)

    async def _flush(self) -> None:
        async with self._flushing:
            lines = list(self._lines)
            if not lines:
                return
            try:
                await self._write(lines)
            except DatabaseUnavailableError as exc:
                log.warning("output_not_written", lines=len(lines), reason=exc.message)
                return
            del self._lines[: len(lines)]
            self._written += len(lines)
        await self._announce([{"line": line} for line in lines])

    async def _flush_later(self) -> None:
        await asyncio.sleep(FLUSH_SECONDS)
        self._later = None
        await self.flush()

    async def _write(self, lines: list[str]) -> None:
        first = self._written
        await self._wiring.database.run(
            lambda session: tasks.add_output(session, self.task_id, first_seq=first, lines=lines)
        )

    async def finish(self, outcome: Outcome) -> None:
        """Record the outcome in the row and in the audit, in one transaction.

        A database that is gone is asked again for a while: a row without an outcome helps nobody.

        Raises:
            DatabaseUnavailableError: it did not come back.
        """
        if self._later is not None:
            self._later.cancel()
        try:
            await self.flush()
        except Exception:  # lines that are lost must not cost the job its outcome
            log.exception("output_lost")
        error = None if outcome.error is None else _clean(outcome.error, MAX_ERROR_CHARACTERS)
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

        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(DatabaseUnavailableError),
            stop=stop_after_delay(FINISH_SECONDS),
            wait=wait_exponential(multiplier=0.1, max=5),
            reraise=True,
        ):
            with attempt:
                await self._wiring.database.run(record)
        await self._announce([{"status": outcome.status}])

    async def _report(self, **fields: Any) -> None:
        try:
            await self._wiring.database.run(
                lambda session: tasks.report(session, self.task_id, epoch=self._epoch, **fields)
            )
        except DatabaseUnavailableError as exc:  # progress is for people; the job goes on
            log.warning("progress_not_written", reason=exc.message)

    async def _announce(self, entries: list[dict[str, str]]) -> None:
        try:
            await self._wiring.stream.append(self.task_id, entries)
        except BrokerUnavailableError as exc:  # the row has it; only the live view lags
            log.warning("task_stream_unavailable", task_id=self.task_id, reason=exc.message)


def _clean(text: str, limit: int) -> str:
    """Make a text fit to be stored: no secrets, no NUL (PostgreSQL refuses it), no more than fits."""
    return mask(text.replace("\x00", ""))[:limit]
