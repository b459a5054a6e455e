"""A job as a terminal shows it: what it says, where it is, how it ended."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import structlog
from sqlmodel import Session

from buddy_common.adapters.task_stream import TaskStream
from buddy_common.db import tasks
from buddy_common.db.engine import Database
from buddy_common.errors import BrokerUnavailableError, TaskHasEndedError, UnknownTaskError
from buddy_common.ports import Caller
from buddy_common.schemas.tasks import TaskView
from buddy_common.usecases.ask_to_cancel import ask_to_cancel

log = structlog.get_logger(__name__)

PAGE_LINES = 500
# the row is looked at this often even if nobody tells of a change
LOOK_SECONDS = 3.0
FALLBACK_SECONDS = 0.5


@dataclass(frozen=True)
class _Look:
    view: TaskView
    lines: list[str]
    last_seq: int


class JobOutput:
    """Follows and ends jobs of the shell."""

    def __init__(self, stream: TaskStream, database: Database) -> None:
        self._stream = stream
        self._database = database

    async def follow(self, task_id: str) -> AsyncIterator[str]:
        """Yield each line of its output once, each stage, and at the end how it ended.

        Raises:
            DatabaseUnavailableError: the row cannot be read.
        """
        seq, stage = -1, None
        position = await self._position(task_id)
        while True:
            look = await self._look(task_id, seq)
            for line in look.lines:
                yield line
            seq = look.last_seq
            is_whole = len(look.lines) < PAGE_LINES
            if is_whole and look.view.status.is_final:
                yield _ending(look.view)
                return
            if is_whole and look.view.stage != stage:
                stage = look.view.stage
                yield f"[{stage}]"
            if is_whole:
                position = await self._wait(task_id, position)

    async def cancel(self, task_id: str, caller: Caller) -> None:
        """Ask for its end; one that has ended already is fine.

        Raises:
            DatabaseUnavailableError: nobody could be asked.
        """
        view = None
        try:
            while view is None:  # each turn, the task changed hands
                view = await self._database.run(
                    lambda session: ask_to_cancel(session, task_id, operator=caller)
                )
        except (TaskHasEndedError, UnknownTaskError):
            return
        try:
            await self._stream.append(task_id, [{"status": view.status}])
        except BrokerUnavailableError as exc:  # who waits for it looks by the clock
            log.warning("task_stream_unavailable", task_id=task_id, reason=exc.message)

    async def _look(self, task_id: str, seq: int) -> _Look:
        def read(session: Session) -> _Look:
            view = tasks.view(session, task_id)  # before the lines: one that has ended has all of them
            if view is None:
                raise UnknownTaskError(task_id)
            rows = tasks.output_after(session, task_id, seq, limit=PAGE_LINES)
            return _Look(view, [row.line for row in rows], rows[-1].seq if rows else seq)

        return await self._database.run(read)

    async def _position(self, task_id: str) -> str | None:
        try:
            return await self._stream.position(task_id)
        except BrokerUnavailableError:
            return None

    async def _wait(self, task_id: str, position: str | None) -> str | None:
        if position is None:
            await asyncio.sleep(FALLBACK_SECONDS)
            return await self._position(task_id)
        try:
            return await self._stream.wait(task_id, after=position, seconds=LOOK_SECONDS)
        except BrokerUnavailableError:
            return None


def _ending(view: TaskView) -> str:
    return f"{view.status}: {view.error}" if view.error else f"{view.status}."
