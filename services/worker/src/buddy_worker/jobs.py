"""A claimed job: where it reports stage, progress and output. Rows are the truth, the stream is live."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import structlog
from sqlmodel import Session
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential

from buddy_common.adapters import processes
from buddy_common.adapters.alerts import Alerts
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.db import events, task_claims, tasks
from buddy_common.errors import BrokerUnavailableError, DatabaseUnavailableError, JobInterruptedError
from buddy_common.schemas.events import EventStatus
from buddy_common.schemas.job import Job
from buddy_common.schemas.processes import ProcessIdentity
from buddy_common.schemas.tasks import TaskStatus
from buddy_common.text_mask import mask_output
from buddy_worker.claims import Claim
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
    summary: str | None = None  # what was changed, for the audit


class RunningJob(Generic[AnyJob]):
    """The Progress of one claimed job. Lines are written in batches; a stage flushes them."""

    def __init__(self, wiring: Wiring, claim: Claim, payload: AnyJob) -> None:
        row = claim.row
        self.task_id = row.id
        self.payload = payload
        self.attempt = row.epoch  # 2: the worker of the first one died
        self._first_started_at = row.started_at
        # for programs that the job runs: they hold its locks until the last of them has ended
        self.lock_descriptors = claim.locks.descriptors
        self.stopping = False  # the worker stops: what is cut off has seconds, not minutes, to undo things
        self.left: str | None = None  # what stands after it was cut off, for people
        self.made: list[str] = []  # what is made for good by then, and is not undone
        self._wiring = wiring
        self._epoch = row.epoch
        self._lines: list[str] = []
        self._written = claim.next_seq
        self._stage: tuple[str, int] | None = None
        self._cut_off_at: str | None = None
        self._least = 0
        self._flushing = asyncio.Lock()
        self._flush_task: asyncio.Task[None] | None = None
        self._later: asyncio.Task[None] | None = None

    @property
    def host(self) -> HostPlane:
        """What the job acts on."""
        return self._wiring.host

    @property
    def alerts(self) -> Alerts:
        """Whom the node tells of incidents."""
        return self._wiring.alerts

    @property
    def seconds_since_first_start(self) -> float:
        """How long ago the first attempt began."""
        began = self._first_started_at
        return (datetime.now(UTC) - began).total_seconds() if began is not None else 0.0

    @property
    def current_stage(self) -> str | None:
        """What it said last that it does, or did when it was cut off."""
        return self._cut_off_at or (None if self._stage is None else self._stage[0])

    def is_cut_off(self) -> None:
        """Remember what it did: to undo that has stages, too."""
        self._cut_off_at = self.current_stage

    def keep_above(self, percent: int) -> None:
        """Have no later stage say less: what is done as a part of the job counts from 0 by itself."""
        self._least = percent

    async def stage(self, name: str, percent: int) -> None:
        """Say what happens now; the same stage again costs nothing."""
        percent = max(percent, self._least)
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

    async def runs(self, process: ProcessIdentity) -> None:
        """Record the process group that the job is about to run, for whoever has to end it.

        Raises:
            DatabaseUnavailableError: it is not recorded, so it must not run.
            JobInterruptedError: the claim is not ours any more.
        """
        record = processes.to_record(process)
        ours = await self._wiring.database.run(
            lambda session: task_claims.report(session, self.task_id, epoch=self._epoch, process=record)
        )
        if not ours:
            raise JobInterruptedError("The job was given to somebody else.")

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
        summary = None if outcome.summary is None else _clean(outcome.summary, MAX_LINE_CHARACTERS)
        completed = outcome.status is TaskStatus.COMPLETED

        def record(session: Session) -> None:
            ours = task_claims.finish(
                session,
                self.task_id,
                epoch=self._epoch,
                status=outcome.status,
                result=None if outcome.result is None else _clean_all(outcome.result),
                error=error,
                error_code=outcome.error_code,
            )
            if ours:
                event = EventStatus.SUCCESS if completed else EventStatus.FAILED
                events.close(session, self.task_id, status=event, detail=error or summary)

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
                lambda session: task_claims.report(session, self.task_id, epoch=self._epoch, **fields)
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
    return mask_output(text.replace("\x00", "")[: 2 * limit])[:limit]


def _clean_all(value: Any) -> Any:
    """Do the same with every text in a structure."""
    if isinstance(value, str):
        return _clean(value, MAX_LINE_CHARACTERS)
    if isinstance(value, list):
        return [_clean_all(item) for item in value]
    if isinstance(value, dict):
        return {key: _clean_all(item) for key, item in value.items()}
    return value
