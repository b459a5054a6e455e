"""Changes of this node's tasks, as frames of the log stream."""

import asyncio
import json
from collections.abc import Callable

import structlog
from sqlmodel import Session

from buddy_common.adapters.task_stream import TaskStream
from buddy_common.db import tasks
from buddy_common.db.engine import Database
from buddy_common.errors import BrokerUnavailableError, DatabaseUnavailableError
from buddy_common.schemas.tasks import TaskView

log = structlog.get_logger(__name__)

WAIT_SECONDS = 3.0
RETRY_SECONDS = 1.0


class TaskNews:
    """Tells which tasks have changed, each as it is when it is looked at."""

    def __init__(self, stream: TaskStream, database: Database, *, node: str) -> None:
        self._stream = stream
        self._database = database
        self._node = node

    async def tell(self, publish: Callable[[str], None]) -> None:
        """Publish changes until cancelled; without broker or database there are none for a while."""
        position: str | None = None
        while True:
            try:
                if position is None:
                    position = await self._stream.changes_position()
                changed, position = await self._stream.wait_for_changes(after=position, seconds=WAIT_SECONDS)
                for view in await self._read(changed):
                    publish(_frame(view))
            except (BrokerUnavailableError, DatabaseUnavailableError) as exc:
                log.warning("task_news_interrupted", reason=exc.message)
                await asyncio.sleep(RETRY_SECONDS)

    async def _read(self, changed: list[str]) -> list[TaskView]:
        def read(session: Session) -> list[TaskView]:
            found = [tasks.view(session, task_id) for task_id in changed]
            return [view for view in found if view is not None and view.node == self._node]

        return await self._database.run(read) if changed else []


def _frame(view: TaskView) -> str:
    return json.dumps({"type": "TASK_UPDATE", "data": view.model_dump(mode="json")}, ensure_ascii=False)
