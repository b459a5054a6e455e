"""One log stream of this node: read once, however many read along; not at all while nobody does."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from buddy_proxy.followed_file import FollowedFile, last_lines
from buddy_proxy.log_sources import LogSource
from buddy_proxy.log_text import in_order, lost_frame, shown

log = structlog.get_logger(__name__)

KEPT_LINES = 5000
KEPT_BYTES = 8 * 1024 * 1024
# a look is a stat(2) per file. Notices of the system would not save it: the files may not be there
# yet, may be on a volume, and change their names at midnight
LOOK_SECONDS = 0.2

SLICE_LINES = 50

Publish = Callable[[str], None]
News = Callable[[Publish], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class ReaderLimits:
    """How much one reader may be behind."""

    lines: int
    size: int = 4 * 1024 * 1024


class Reader:
    """One reader of the stream. What it has no room for is counted, the oldest first."""

    def __init__(self, limits: ReaderLimits) -> None:
        self._limits = limits
        self._frames: deque[str] = deque()
        self._size = 0
        self._lost = 0
        self._more = asyncio.Event()
        self._ended = False

    def put(self, frame: str) -> None:
        """Add a frame, at the cost of the oldest."""
        self._frames.append(frame)
        self._size += len(frame)
        while len(self._frames) > self._limits.lines or self._size > self._limits.size:
            self._size -= len(self._frames.popleft())
            self._lost += 1
        self._more.set()

    def end(self) -> None:
        """Tell the reader that nothing more will come."""
        self._ended = True
        self._more.set()

    async def get(self) -> str | None:
        """Return the next frame, None at the end; what was lost is told in its place."""
        while True:
            if self._lost:
                lost, self._lost = self._lost, 0
                return lost_frame(lost)
            if self._frames:
                frame = self._frames.popleft()
                self._size -= len(frame)
                return frame
            if self._ended:
                return None
            self._more.clear()
            await self._more.wait()


class LogFeed:
    """Follows the files of a source while somebody reads; `news` adds frames of another origin."""

    def __init__(self, source: LogSource, *, limits: ReaderLimits, news: News | None = None) -> None:
        self._source = source
        self._limits = limits
        self._news = news
        self._readers: set[Reader] = set()
        self._turn = asyncio.Lock()  # who comes while the files are opened waits for that
        self._following: asyncio.Task[None] | None = None
        self._files: dict[Path, FollowedFile] = {}
        self._at_work = threading.Lock()  # a look goes on in its thread when its task is cancelled
        self._kept: deque[str] = deque(maxlen=KEPT_LINES)
        self._kept_size = 0

    @asynccontextmanager
    async def reader(self, history_lines: int) -> AsyncIterator[tuple[list[str], Reader]]:
        """Give the last lines, and a reader that gets every line after them."""
        reader = Reader(self._limits)
        try:
            async with self._turn:
                if self._following is None or self._following.done():
                    await self._begin()
                history = list(self._kept)[-history_lines:] if history_lines else []
                self._readers.add(reader)
            yield history, reader
        finally:
            self._readers.discard(reader)
            await self._rest_if_alone()

    async def close(self) -> None:
        """End all readers."""
        for reader in self._readers:
            reader.end()
        self._readers.clear()
        await self._rest_if_alone()

    async def _begin(self) -> None:
        self._keep(await asyncio.to_thread(self._open))
        self._following = asyncio.create_task(self._follow())

    async def _rest_if_alone(self) -> None:
        async with self._turn:
            if self._readers or self._following is None:
                return
            task, self._following = self._following, None
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await asyncio.to_thread(self._close_files)
            self._kept.clear()
            self._kept_size = 0

    async def _follow(self) -> None:
        """Publish until nobody reads any more; whatever goes wrong, the readers hear of it."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow_files())
                if self._news is not None:
                    group.create_task(self._news(self._publish))
        except Exception:  # the outermost loop of a stream: a bug must not leave readers with a dead one
            log.exception("log_feed_crashed")
            for reader in self._readers:
                reader.end()

    async def _follow_files(self) -> None:
        while True:
            lines = await asyncio.to_thread(self._look)
            for place, line in enumerate(lines):
                self._keep([line])
                self._publish(line)
                if place % SLICE_LINES == 0:  # who keeps up loses nothing of a burst
                    await asyncio.sleep(0)
            await asyncio.sleep(0 if lines else LOOK_SECONDS)

    def _publish(self, frame: str) -> None:
        for reader in self._readers:
            reader.put(frame)

    def _keep(self, lines: list[str]) -> None:
        for line in lines:
            if len(self._kept) == KEPT_LINES:
                self._kept_size -= len(self._kept[0])
            self._kept.append(line)
            self._kept_size += len(line)
        while self._kept_size > KEPT_BYTES:
            self._kept_size -= len(self._kept.popleft())

    def _open(self) -> list[str]:
        """Open what is there, and return the last lines of it."""
        with self._at_work:
            self._files = {path: FollowedFile(path) for path in self._source.files()}
            tails = {
                path: file.begin(count=KEPT_LINES, max_bytes=KEPT_BYTES) for path, file in self._files.items()
            }
            secrets = self._source.secrets()
            logs = [_last_of(chain, tails) for chain in self._source.history()]
        return in_order([shown(line, secrets=secrets) for line in lines] for lines in logs)[-KEPT_LINES:]

    def _look(self) -> list[str]:
        """Return the new lines of all files, those that have just appeared among them."""
        with self._at_work:
            now = self._source.files()
            for path in now:
                self._files.setdefault(path, FollowedFile(path))
            lines = [line for file in self._files.values() for line in file.read()]
            for path in self._files.keys() - set(now):
                self._files.pop(path).close()
            secrets = self._source.secrets() if lines else []
        return [shown(line, secrets=secrets) for line in lines]

    def _close_files(self) -> None:
        with self._at_work:
            for file in self._files.values():
                file.close()
            self._files.clear()


def _last_of(chain: list[Path], tails: dict[Path, list[bytes]]) -> list[bytes]:
    """Return the last lines of a chain of files, the newest asked first; `tails` are those read already."""
    found: list[bytes] = []
    for path in reversed(chain):
        missing = KEPT_LINES - len(found)
        if missing:
            tail = tails[path] if path in tails else last_lines(path, count=missing, max_bytes=KEPT_BYTES)
            found = tail[-missing:] + found
    return found
