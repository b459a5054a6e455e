"""A diary that remembers in the test what the real one writes down."""

import asyncio
from collections.abc import Sequence

from buddy_common.adapters.quarantine import Quarantine
from buddy_common.schemas.healing import EventKind, HealEvent, HealthCheck, SelfHealing
from buddy_watchdog.healer import Healer


class TestDiary:
    """Keeps everything in lists; `wanted` is what the operator wants."""

    __test__ = False

    def __init__(self) -> None:
        self.events: list[HealEvent] = []
        self.told: list[HealEvent] = []
        self.checks: list[HealthCheck] = []
        self.lines: list[str] = []
        self.said: dict[str, list[str]] = {}
        self.wanted = SelfHealing()

    @property
    def kinds(self) -> list[EventKind]:
        return [event.kind for event in self.events]

    @property
    def repairs(self) -> list[str | None]:
        return [event.repair for event in self.events if event.kind is EventKind.REPAIR]

    async def event(self, event: HealEvent) -> None:
        if event.id not in {known.id for known in self.events}:
            self.events.append(event)

    async def tell(self, event: HealEvent) -> None:
        self.told.append(event)

    async def make_way(self) -> None:
        pass

    async def report(self, event: HealEvent, *, lines: list[str], said: Sequence[str] = ()) -> str | None:
        self.lines += lines
        self.said[event.id] = list(said)
        return f"{event.incident}.md"

    async def check(self, check: HealthCheck) -> None:
        self.checks.append(check)

    async def wishes(self) -> SelfHealing:
        return self.wanted

    async def publish(self, healer: Healer, store: Quarantine, wishes: SelfHealing) -> None:
        del healer, store, wishes

    async def run_forever(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        pass
