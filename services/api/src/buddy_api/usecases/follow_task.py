"""Tell everything that happens to a task, until its end."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from enum import StrEnum

import structlog
from sqlmodel import Session

from buddy_api.schemas import OutputLine
from buddy_api.task_changes import TaskChanges
from buddy_common.db import tasks
from buddy_common.db.engine import Database
from buddy_common.errors import DatabaseUnavailableError
from buddy_common.schemas.tasks import TaskView

log = structlog.get_logger(__name__)

PAGE_LINES = 1000
# the row is looked at this often even if nobody tells of a change
LOOK_SECONDS = 3.0


class NewsKind(StrEnum):
    """What a piece of news is about; the names of the events on the wire."""

    TASK = "task"  # the task without its output: first of all, and whenever something of it changed
    OUTPUT = "output"  # one line
    DONE = "done"  # the task as it ended, with the end of its output


@dataclass(frozen=True)
class News:
    """One piece of news, as JSON; a line has its number."""

    kind: NewsKind
    body: str
    seq: int | None = None


@dataclass(frozen=True)
class _Look:
    """A task and the next lines of its output; all of them, if they do not fill the page."""

    view: TaskView
    lines: list[OutputLine]

    @property
    def state(self) -> str:
        return self.view.model_dump_json(exclude={"output"})

    @property
    def is_whole(self) -> bool:
        return len(self.lines) < PAGE_LINES

    @property
    def is_last(self) -> bool:
        return self.is_whole and self.view.status.is_final


async def follow_task(
    database: Database, changes: TaskChanges, *, task_id: str, after: int
) -> AsyncIterator[News]:
    """Yield the task, each line after line `after` once and in order, each change, and the end.

    Ends before the task does when the process is to stop or the database is gone: who wants to know
    more asks again, with the last line that they got.
    """
    shown: str | None = None
    try:
        position = await changes.position(task_id)
        while (look := await _look(database, task_id, after)) is not None:
            for news in _news(look, shown):
                yield news
            if look.is_last or changes.stopping:
                return
            if shown is None or look.is_whole:
                shown = look.state
            after = look.lines[-1].seq if look.lines else after
            if look.is_whole:
                position = await changes.wait(task_id, after=position, seconds=LOOK_SECONDS)
    except DatabaseUnavailableError as exc:
        log.warning("task_not_followed", task_id=task_id, reason=exc.message)


def _news(look: _Look, shown: str | None) -> Iterator[News]:
    """Return what is new: a line was written before the change that it is seen with."""
    if shown is None:
        shown = look.state
        yield News(NewsKind.TASK, shown)
    for line in look.lines:
        yield News(NewsKind.OUTPUT, line.model_dump_json(), line.seq)
    if look.is_whole and look.state != shown:
        yield News(NewsKind.TASK, look.state)
    if look.is_last:
        yield News(NewsKind.DONE, look.view.model_dump_json())


async def _look(database: Database, task_id: str, after: int) -> _Look | None:
    def read(session: Session) -> _Look | None:
        view = tasks.view(session, task_id)  # before the lines: a task that has ended has all of them
        if view is None:
            return None
        rows = tasks.output_after(session, task_id, after, limit=PAGE_LINES)
        return _Look(view, [OutputLine(seq=row.seq, line=row.line) for row in rows])

    return await database.run(read)
