"""What wakes those who watch a task. The rows are the truth; the stream only says when to look."""

import asyncio

import structlog

from buddy_common.adapters.task_stream import TaskStream
from buddy_common.errors import BrokerUnavailableError
from buddy_common.schemas.tasks import TaskStatus
from buddy_common.stopping import Stopping

log = structlog.get_logger(__name__)

# without the broker the row is looked at this often
FALLBACK_SECONDS = 0.5
# each holds a connection to the broker, of which redis-py allows a hundred; more watchers look by the clock
MAX_READERS = 50


class TaskChanges:
    """Waits for changes of tasks, and tells others of them."""

    def __init__(self, stream: TaskStream, stopping: Stopping) -> None:
        self.stopping = stopping
        self._stream = stream
        self._readers = 0

    async def position(self, task_id: str) -> str | None:
        """Return where the task's stream ends now, to wait from there; None without the broker.

        Take it before looking at the row: nothing is missed in between.
        """
        try:
            return await self._stream.position(task_id)
        except BrokerUnavailableError:
            return None

    async def wait(self, task_id: str, *, after: str | None, seconds: float) -> str | None:
        """Return the new position once the row is worth another look, after `seconds` at the latest.

        Returns at once when the process is to stop.
        """
        if after is None or self._readers >= MAX_READERS:
            return await self.stopping.cut(self._by_the_clock(task_id, after, seconds))
        self._readers += 1
        try:
            return await self.stopping.cut(self._by_the_stream(task_id, after, seconds))
        finally:
            self._readers -= 1

    async def announce(self, task_id: str, status: TaskStatus) -> None:
        """Wake who watches the task; without the broker they look by themselves."""
        try:
            await self._stream.append(task_id, [{"status": status}])
        except BrokerUnavailableError as exc:
            log.warning("task_stream_unavailable", task_id=task_id, reason=exc.message)

    async def _by_the_clock(self, task_id: str, after: str | None, seconds: float) -> str | None:
        await asyncio.sleep(min(seconds, FALLBACK_SECONDS))
        return after or await self.position(task_id)

    async def _by_the_stream(self, task_id: str, after: str, seconds: float) -> str | None:
        try:
            return await self._stream.wait(task_id, after=after, seconds=seconds)
        except BrokerUnavailableError:
            return None
