"""The record of what was seen and done: on the disk first, then in the database, each thing once."""

import asyncio
import random
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from buddy_common.db import health_checks
from buddy_common.db.engine import Database, open_engine
from buddy_common.errors import BuddyError
from buddy_common.schemas.healing import HealEvent, HealthCheck
from buddy_common.settings import DatabaseSettings, HomeSettings
from buddy_common.text_mask import mask_all
from buddy_watchdog.replay import Replay
from buddy_watchdog.segments import SEGMENT_BYTES, Segments

log = structlog.get_logger(__name__)

# looks need not be in the database at once; events are brought there as they come
IDLE_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 60.0
# a batch takes milliseconds; one that waits for a locked database is not waited for
CLOSE_SECONDS = 2.0
# a look takes 300 bytes: a month of them
CHECKS_BYTES = 64 * 1024 * 1024
# looks that a full disk does not take; an hour of them is worth no more than that
CHECKS_HELD = 360
CHECKS_KEPT = timedelta(days=30)
ROLLUPS_KEPT = timedelta(days=365)
RETENTION_BATCH = 500  # a few ms of the database; 30 days of looks of a second are gone in a night
RETENTION_SECONDS = 60.0
_PLAIN = frozenset({"config_hash"})  # it looks like a secret, and is none


class Recorder:
    """Writes down; what is wrong with the disk or the database is never the caller's trouble."""

    def __init__(
        self, folder: Path, database: Database, *, node: str, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        self._node = node
        self._database = database
        self._events = Segments(folder, "events", durable=True, segment_bytes=segment_bytes)
        self._checks = Segments(
            folder, "checks", durable=False, limit_bytes=CHECKS_BYTES, segment_bytes=segment_bytes
        )
        self._replay = Replay(folder, database, events=self._events, checks=self._checks)
        # what the disk has not taken yet
        self._events_held: deque[str] = deque()
        self._checks_held: deque[str] = deque(maxlen=CHECKS_HELD)
        self._writing = asyncio.Lock()
        self._news = asyncio.Event()
        self._bringing: asyncio.Future[bool] | None = None
        self._disk_fails = False
        self._database_fails = False
        self._tidied_at = time.monotonic()

    async def check(self, check: HealthCheck) -> None:
        """Keep a look for a month."""
        self._checks_held.append(check.model_dump_json())
        await self._write()

    async def event(self, event: HealEvent) -> None:
        """Keep an event for ever; when this returns, it is on the disk, or held until the disk takes it.

        What the gateway has said in it is masked: everybody who may ask the API reads it.
        """
        self._events_held.append(_discreet(event).model_dump_json())
        await self._write()
        self._news.set()

    async def run_forever(self) -> None:
        """Bring what is on the disk into the database, as soon as that is there; let go of what is old."""
        failures = 0
        while True:
            try:
                await self._write()
                failures = 0 if await self._bring() else failures + 1
            except Exception:  # the outermost loop: a bug here must not end the watching
                log.exception("record_failed")
                failures += 1
            await self._pause(failures)

    async def close(self) -> None:
        """Let go of the files and of the database; what is not there yet is brought by the next watchdog."""
        await self._write()
        if self._bringing is not None:
            await asyncio.wait([self._bringing], timeout=CLOSE_SECONDS)
        async with self._writing:
            await asyncio.to_thread(self._close)

    async def _write(self) -> None:
        """Bring what is held to the disk, events first; what it does not take is held on."""
        async with self._writing:
            try:
                for segments, held in ((self._events, self._events_held), (self._checks, self._checks_held)):
                    lines = list(held)
                    if lines:
                        await asyncio.to_thread(segments.append, lines)
                        _drop(held, lines)
            except OSError as exc:
                if not self._disk_fails:
                    log.warning("record_not_written", reason=exc.strerror, held=len(self._events_held))
                self._disk_fails = True
                return
        if self._disk_fails:
            log.info("record_written_again")
        self._disk_fails = False

    async def _bring(self) -> bool:
        """Bring everything into the database; False where that was not to be had."""
        try:
            while await self._bring_some():
                pass
            await self._tidy()
        except (BuddyError, OSError) as exc:
            if not self._database_fails:
                log.warning("record_not_in_database", reason=str(exc))
            self._database_fails = True
            return False
        if self._database_fails:
            log.info("record_in_database_again")
        self._database_fails = False
        return True

    async def _bring_some(self) -> bool:
        """Bring a batch; a thread goes on when its task is cancelled, and `close` waits for it."""
        self._bringing = asyncio.ensure_future(asyncio.to_thread(self._replay.bring_some))
        return await asyncio.shield(self._bringing)

    async def _tidy(self) -> None:
        """Let go of a few old rows, now and then."""
        if time.monotonic() - self._tidied_at < RETENTION_SECONDS:
            return
        self._tidied_at = time.monotonic()
        await self.forget(datetime.now(UTC))

    async def forget(self, now: datetime) -> int:
        """Delete a batch of checks that are older than a month and rollups older than a year.

        Returns how many checks are gone.

        Raises:
            DatabaseUnavailableError: the database is gone.
        """
        node = self._node
        gone = await self._database.run(
            lambda session: health_checks.forget(
                session, node=node, before=now - CHECKS_KEPT, limit=RETENTION_BATCH
            )
        )
        await self._database.run(
            lambda session: health_checks.forget_rollups(session, node=node, before=now - ROLLUPS_KEPT)
        )
        return gone

    async def _pause(self, failures: int) -> None:
        """Wait for an event, or a while; longer, and not for events, where the database is gone."""
        if failures:
            longest = min(LONGEST_WAIT_SECONDS, 2.0 ** min(failures, 10))
            await asyncio.sleep(longest * random.uniform(0.5, 1))
            return
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                await self._news.wait()
        except TimeoutError:
            pass
        self._news.clear()

    def _close(self) -> None:
        self._events.close()
        self._checks.close()
        self._database.engine.dispose()


def build_recorder(home: HomeSettings, database: DatabaseSettings) -> Recorder:
    """Wire the recorder of this node; nothing is opened yet."""
    return Recorder(
        home.node_state / "record",
        Database(open_engine(database.resolve(home.home))),
        node=home.node,
    )


def _discreet(event: HealEvent) -> HealEvent:
    def masked(evidence: dict[str, Any] | None) -> dict[str, Any] | None:
        if evidence is None:
            return None
        return {name: value if name in _PLAIN else mask_all(value) for name, value in evidence.items()}

    return event.model_copy(
        update={
            "reason": mask_all(event.reason),
            "outcome": mask_all(event.outcome),
            "evidence_before": masked(event.evidence_before),
            "evidence_after": masked(event.evidence_after),
        }
    )


def _drop(held: deque[str], lines: list[str]) -> None:
    """Remove the lines that were written; of a bounded deque, some may have gone by themselves."""
    written = set(lines)
    while held and held[0] in written:
        held.popleft()
