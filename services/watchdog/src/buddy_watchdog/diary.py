"""Where the watchdog writes everything down, whom it tells, and what it shows."""

import asyncio
from collections.abc import Sequence

from buddy_common.adapters.alerts import Alerts
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.quarantine import Quarantine
from buddy_common.adapters.self_healing import SelfHealingFile
from buddy_common.schemas.healing import (
    ActiveIncident,
    EventKind,
    HealEvent,
    HealingView,
    HealthCheck,
    QuarantineEntry,
    SelfHealing,
)
from buddy_common.schemas.resources import Resource
from buddy_watchdog.doctor import Doctor
from buddy_watchdog.heal_events import DONE
from buddy_watchdog.healer import Healer
from buddy_watchdog.record import Recorder
from buddy_watchdog.report import Reporter
from buddy_watchdog.tell import Teller


class NodeDiary:
    """The diary of one node."""

    def __init__(
        self, host: HostPlane, *, recorder: Recorder, wishes: SelfHealingFile, alerts: Alerts
    ) -> None:
        self._host = host
        self._recorder = recorder
        self._wishes = wishes
        self._reporter = Reporter(host, host.device_file.with_name("report.json"))
        self._doctor = Doctor(host)
        self._asking: asyncio.Task[None] | None = None
        self._teller = Teller(host.node, alerts, self._reporter)

    async def event(self, event: HealEvent) -> None:
        """Keep an event for ever."""
        await self._recorder.event(event)

    async def report(self, event: HealEvent, *, lines: list[str], said: Sequence[str] = ()) -> str | None:
        """Bring the incident's report up to date and return its name; None where it cannot be written."""
        name = await self._reporter.report(event, lines=lines, said=said)
        if name is not None and self._is_after_a_repair(event):
            await self.make_way()
            self._asking = asyncio.create_task(self._ask_doctor(event.incident))
        return name

    async def make_way(self) -> None:
        """Send the doctor away: a repair begins, or everything ends. It is asked again after that."""
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    def _is_after_a_repair(self, event: HealEvent) -> bool:
        """Whether nothing is repaired any more for the moment, and the doctor was not asked yet."""
        helped = event.kind is EventKind.REPAIR and (event.outcome or "").startswith(DONE)
        return (helped or event.kind is EventKind.GAVE_UP) and self._reporter.lacks_doctor(event.incident)

    async def _ask_doctor(self, incident: str) -> None:
        await self._reporter.add_doctor(incident, await self._doctor.look())

    async def tell(self, event: HealEvent) -> None:
        """Alert people; never raises."""
        await self._teller.tell(event)

    async def check(self, check: HealthCheck) -> None:
        """Keep a look for a month."""
        await self._recorder.check(check)

    async def wishes(self) -> SelfHealing:
        """Return what the operator wants."""
        return await asyncio.to_thread(self._wishes.read)

    async def publish(self, healer: Healer, store: Quarantine, wishes: SelfHealing) -> None:
        """Show what the watchdog is about.

        Raises:
            BrokerUnavailableError: the read model cannot be reached.
        """
        kept = await asyncio.to_thread(store.listing)
        incident, state = healer.incident, healer.state
        view = HealingView(
            node=self._host.node,
            mode=wishes.mode,
            paused_until=wishes.paused_until,
            circuit_open_since=healer.circuit_opened_at,
            incident=(
                ActiveIncident(
                    id=incident.id, began=incident.began, verdict=state.verdict, attempts=state.attempts
                )
                if incident is not None and state.verdict is not None
                else None
            ),
            quarantine=[QuarantineEntry.of(entry) for entry in kept],
        )
        await self._host.read_model.put(
            self._host.node,
            Resource.HEALING,
            view,
            source="process",
            fresh_seconds=self._host.fresh_seconds,
        )

    async def run_forever(self) -> None:
        """Bring what was kept on disk into the database."""
        await self._recorder.run_forever()

    async def close(self) -> None:
        """Let go of the doctor, the files and the database."""
        asking = self._asking
        await self.make_way()
        if asking is not None:
            await asyncio.wait([asking])
        await self._recorder.close()
