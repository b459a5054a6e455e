"""Whether everything is there that Buddy needs: looked up once for all who ask within a second."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from pydantic import BaseModel

from buddy_common.adapters.presence import Presence
from buddy_common.db import nodes
from buddy_common.db.engine import Database
from buddy_common.errors import BuddyError
from buddy_common.schemas.job import Lane

CHECK_SECONDS = 3.0
# for strangers: they may ask as often as they like, and that must cost nothing
SHARED_SECONDS = 1.0


class Check(BaseModel):
    """One thing that Buddy needs."""

    ok: bool
    latency_ms: float
    detail: str | None = None


class Readiness:
    """Looks at broker, database and workers."""

    def __init__(self, database: Database, presence: Presence) -> None:
        self._database = database
        self._presence = presence
        self._looking: asyncio.Task[dict[str, Check]] | None = None
        self._began = 0.0

    async def look(self) -> dict[str, Check]:
        """Return what is found now."""
        found = {"broker": self._broker, "database": self._read_nodes, "workers": self._workers}
        results = await asyncio.gather(*(_timed(check) for check in found.values()))
        return dict(zip(found, results, strict=True))

    async def shared_look(self) -> dict[str, Check]:
        """Return what was found within the last second, or is being found just now."""
        looking = self._looking
        if looking is None or (looking.done() and time.monotonic() - self._began >= SHARED_SECONDS):
            self._began = time.monotonic()
            looking = self._looking = asyncio.create_task(self.look())
        return await asyncio.shield(looking)  # who hangs up ends it for nobody else

    async def close(self) -> None:
        """Wait for a look that is under way: it ends in time by itself."""
        if self._looking is not None:
            await asyncio.wait([self._looking])

    async def _broker(self) -> None:
        await self._presence.ping()

    async def _read_nodes(self) -> None:
        await self._database.run(nodes.names)

    async def _workers(self) -> str:
        """Every node that is there needs both lanes."""
        lanes: dict[str, dict[Lane, int]] = {}
        for worker in await self._presence.listing():
            counts = lanes.setdefault(worker.node, dict.fromkeys(Lane, 0))
            counts[worker.lane] += 1
        if not lanes:
            raise BuddyError("No worker is alive.")
        text = "; ".join(
            f"{node}: " + ", ".join(f"{lane} {count}" for lane, count in counts.items())
            for node, counts in sorted(lanes.items())
        )
        if any(count == 0 for counts in lanes.values() for count in counts.values()):
            raise BuddyError(f"A lane has no worker ({text}).")
        return text


async def _timed(check: Callable[[], Awaitable[str | None]]) -> Check:
    began = time.perf_counter()
    good, detail = True, None
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            detail = await check()
    except BuddyError as exc:
        good, detail = False, exc.message
    except TimeoutError:
        good, detail = False, f"No answer within {CHECK_SECONDS:.0f} s."
    return Check(ok=good, latency_ms=round((time.perf_counter() - began) * 1000, 1), detail=detail)
