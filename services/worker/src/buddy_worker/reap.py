"""Ending what dead workers left: their programs first, then their tasks."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import structlog
from sqlmodel import Session

from buddy_common.adapters import processes
from buddy_common.adapters.child_process import end_process_group
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.presence import BEAT_SECONDS
from buddy_common.db import events, task_claims
from buddy_common.db.tables import TaskRow
from buddy_common.errors import BrokerUnavailableError, JobCancelledError, JobInterruptedError
from buddy_common.schemas.events import EventStatus
from buddy_common.schemas.jobs import job_kind
from buddy_common.schemas.tasks import TaskStatus
from buddy_worker.owner import Owner
from buddy_worker.runner import running_ids
from buddy_worker.usecases.settle_change import settle_if_free, what_is_there
from buddy_worker.wiring import Wiring

log = structlog.get_logger(__name__)

ATTEMPTS = 2  # a job that is declared repeatable runs once more, not for ever
# after an outage of hours nobody wants the restart that they asked for then
REPEAT_WITHIN = timedelta(hours=1)
END_SECONDS = 8.0
# a worker of another container that sent no beat for so long, while its key had expired before
SILENT_SECONDS = BEAT_SECONDS + 1


class Reaper:
    """Looks at the Running tasks of the node, and ends those that nobody runs."""

    def __init__(self, wiring: Wiring) -> None:
        self._w = wiring
        self._silent_since: dict[str, float] = {}
        self._ours_before: frozenset[tuple[str, int]] = frozenset()

    async def reap(self) -> None:
        """End the tasks of dead workers, or queue them once more.

        Raises:
            TransientError: the database cannot be reached; the next sweep tries again.
        """
        rows = await self._w.database.run(lambda session: task_claims.running(session, self._w.node))
        lost = self._lost_here(rows)
        others = {row.owner for row in rows if row.owner and row.owner != str(self._w.owner)}
        dead = {owner for owner in others if await self._is_dead(owner)}
        self._silent_since = {owner: at for owner, at in self._silent_since.items() if owner in others}
        lost_rows = [row for row in rows if row.owner in dead or (row.id, row.epoch) in lost]
        outcomes = await asyncio.gather(*(self._end(row) for row in lost_rows), return_exceptions=True)
        for row, outcome in zip(lost_rows, outcomes, strict=True):
            if isinstance(outcome, Exception):  # of one task; the others must not wait for it
                log.error("task_not_reaped", task_id=row.id, reason=repr(outcome))

    def _lost_here(self, rows: list[TaskRow]) -> frozenset[tuple[str, int]]:
        """Return claims of this very process that it has not in hand, twice in a row.

        It could not write how they ended. At the first look, one may just be between claim and start.
        """
        ours = {(row.id, row.epoch) for row in rows if row.owner == str(self._w.owner)}
        unknown = frozenset(claim for claim in ours if claim[0] not in running_ids())
        before, self._ours_before = self._ours_before, unknown
        return unknown & before

    async def _is_dead(self, text: str) -> bool:
        owner = Owner.parse(text)
        verdict = None
        if owner is not None:
            verdict = await asyncio.to_thread(owner.is_dead, seen_by=self._w.owner)
        return await self._is_silent(text) if verdict is None else verdict

    async def _is_silent(self, owner: str) -> bool:
        """Whether a worker that cannot be seen from here sends no beats, while ours arrive."""
        try:
            alive = {presence.worker for presence in await self._w.presence.listing()}
        except BrokerUnavailableError:
            alive = set()
        if owner in alive or str(self._w.owner) not in alive:
            self._silent_since.pop(owner, None)
            return False
        since = self._silent_since.setdefault(owner, time.monotonic())
        return time.monotonic() - since >= SILENT_SECONDS

    async def _end(self, row: TaskRow) -> None:
        process = processes.from_record(row.process) if row.process else None
        if process is not None and not await asyncio.to_thread(
            end_process_group, process, seconds=END_SECONDS
        ):
            log.error("process_group_survives", task_id=row.id, pid=process.pid)
            return  # its locks are still held; the next sweep tries again
        note = await asyncio.to_thread(_settle, self._w.host, row)
        repeated = _may_repeat(row) and await self._w.database.run(
            lambda session: task_claims.repeat(session, row.id, epoch=row.epoch)
        )
        if not repeated and not await self._w.database.run(lambda session: _interrupt(session, row, note)):
            return  # another worker was faster
        log.warning("task_reaped", task_id=row.id, owner=row.owner, repeated=repeated)
        await self._announce(row)

    async def _announce(self, row: TaskRow) -> None:
        """Wake who watches the task; the row has the news."""
        try:
            await self._w.stream.append(row.id, [{"status": "reaped"}])
        except BrokerUnavailableError as exc:
            log.warning("task_stream_unavailable", task_id=row.id, reason=exc.message)


def _settle(host: HostPlane, row: TaskRow) -> str | None:
    """Settle the change that a dead worker left, and return what is there; a failure keeps no task."""
    with _logged(row.id):
        settle_if_free(host)
    with _logged(row.id):
        return what_is_there(host, row.id, job_kind(row.kind))
    return None


@contextmanager
def _logged(task_id: str) -> Iterator[None]:
    try:
        yield
    except Exception:  # whatever it is, the task has to end
        log.exception("change_not_settled", task_id=task_id)


def _may_repeat(row: TaskRow) -> bool:
    kind = job_kind(row.kind)
    recent = row.started_at is not None and datetime.now(UTC) - row.started_at < REPEAT_WITHIN
    return bool(kind and kind.repeatable and recent and row.epoch < ATTEMPTS and row.cancel_at is None)


def _interrupt(session: Session, row: TaskRow, note: str | None) -> bool:
    now = session.get(TaskRow, row.id)  # somebody may have asked for its end since we looked
    wanted = now is not None and now.cancel_at is not None
    error = (
        JobCancelledError(row.stage)
        if wanted
        else JobInterruptedError("The worker died while this job ran; what it had started was ended.")
    )
    text = " ".join(filter(None, (error.message, note)))
    ended = task_claims.finish(
        session,
        row.id,
        epoch=row.epoch,
        status=TaskStatus.CANCELLED if wanted else TaskStatus.INTERRUPTED,
        error=text,
        error_code=error.error,
    )
    if ended:
        events.close(session, row.id, status=EventStatus.FAILED, detail=text)
    return ended
