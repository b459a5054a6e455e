"""Does what `step` decides: opens and closes incidents, makes repairs, writes everything down."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any

import structlog

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.quarantine import Quarantine
from buddy_common.schemas.healing import EventKind, HealEvent, SelfHealing
from buddy_watchdog.chronicle import Chronicle
from buddy_watchdog.evidence import Evidence, seconds_after_boot
from buddy_watchdog.heal_events import event_of, made_repair, planned_repair
from buddy_watchdog.healing import (
    FINE,
    REPAIRABLE,
    Act,
    CircuitClosed,
    Event,
    Phase,
    RepairEnded,
    Rules,
    Seen,
    State,
    Step,
    is_due,
    step,
)
from buddy_watchdog.hindrance import Hindrance, hindrance
from buddy_watchdog.incidents import after_telling, news_in, seconds_to_recover, wall_clock, with_incident
from buddy_watchdog.memory import Memory
from buddy_watchdog.repairs.alone import repair_alone
from buddy_watchdog.repairs.patient import Repaired
from buddy_watchdog.starts import Starts
from buddy_watchdog.state_file import BROKEN_OFF, Incident, Remembered, StateFile
from buddy_watchdog.turn import Turn
from buddy_watchdog.verdict import Finding

log = structlog.get_logger(__name__)

# a start may take 300 s, the end of a process 70 s, and OpenClaw judges a config a few times before
REPAIR_SECONDS = 900.0
_JITTER = (0.8, 1.0)
_KINDS = {
    Act.BEGIN: EventKind.DETECTED,
    Act.CHANGE: EventKind.CHANGED,
    Act.GIVE_UP: EventKind.GAVE_UP,
    Act.RECOVER: EventKind.RECOVERED,
    Act.END: EventKind.ENDED,
}
_OVER = frozenset({Act.RECOVER, Act.END})
_STEPPED = ("state", "incident", "circuit_opened_at")
CLOSE_SECONDS = 2.0  # for alerts that are on their way; what is not out by then is sent by the next watchdog


class Healer:
    """Heals one gateway."""

    def __init__(
        self,
        host: HostPlane,
        *,
        chronicle: Chronicle,
        file: StateFile,
        store: Quarantine,
        look: Callable[[], Awaitable[Evidence]],
        wake: Callable[[], None],
        rules: Rules,
        clock: Callable[[], datetime] = wall_clock,
    ) -> None:
        """`look` takes fresh evidence, `wake` asks for a look at once; `clock` is what people see."""
        self._clock = clock
        self._host = host
        self._chronicle = chronicle
        self._file = file
        self._store = store
        self._look = look
        self._wake = wake
        self._rules = rules
        self._turn = Turn(host.locks)
        self._kept = Remembered(boot="")
        self._saving = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._alerts: set[asyncio.Task[Any]] = set()
        self._hindrance = Hindrance()
        self._known_at = seconds_after_boot()

    @property
    def state(self) -> State:
        """Where the watchdog is with this gateway."""
        return self._kept.state

    @property
    def incident(self) -> Incident | None:
        """The incident that is open."""
        return self._kept.incident

    @property
    def circuit_opened_at(self) -> datetime | None:
        """Since when nothing is repaired, None while something would be."""
        return self._kept.circuit_opened_at

    @property
    def repairing(self) -> bool:
        """Whether a repair is under way, and holds the locks."""
        return self.state.phase is Phase.REPAIRING

    async def load(self) -> None:
        """Take up what an earlier watchdog has left, write what it owed the record, tell what it had to."""
        self._kept = await asyncio.to_thread(self._file.load, now=seconds_after_boot())
        for event in self._kept.owed:
            if event.outcome == BROKEN_OFF:
                await self._write(event, lines=[])
            else:
                await self._chronicle.event(event)
        await self._keep(owed=[])
        for event in self._kept.untold:
            self._spawn(self._tell(event), self._alerts)

    async def note(self, memory: Memory) -> None:
        """Keep what the next watchdog cannot see: who kept the process, which was up, on which config."""
        await self._keep(owner=memory.owner, up=memory.up, proven=memory.starts.proven)

    @property
    def memory(self) -> Memory:
        """What is known of the looks of an earlier watchdog."""
        kept = self._kept
        starts = Starts(proven=kept.proven)
        return Memory(owner=kept.owner, up=kept.up, starts=starts, watched_since=seconds_after_boot())

    async def close(self) -> None:
        """Let go of a repair that is under way: its gateway lives on, the next watchdog looks after it."""
        self._turn.leave()
        for task in self._tasks:
            task.cancel()
        if self._alerts:
            await asyncio.wait(self._alerts, timeout=CLOSE_SECONDS)
        tasks = self._tasks | self._alerts
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def consider(self, evidence: Evidence, finding: Finding, wishes: SelfHealing) -> None:
        """Take in one look."""
        if wishes.circuit_closed_at != self._kept.circuit_closed_at:
            await self._keep(circuit_closed_at=wishes.circuit_closed_at)
            await self._go(self._step(CircuitClosed(), evidence.at), evidence, finding)
        if finding.verdict in FINE or finding.verdict is self.state.verdict:
            self._known_at = evidence.at
        if not self.repairing:
            looks = finding.verdict in REPAIRABLE
            self._hindrance = await hindrance(evidence, wishes, self._clock()) if looks else Hindrance()
        seen = Seen(finding.verdict, self._hindrance.reason, frozen=evidence.frozen)
        await self._go(self._step(seen, evidence.at), evidence, finding)
        if not self.repairing:  # the place is kept until the repair has both locks, and is over
            due = is_due(self.state, finding.verdict, evidence.at)
            may_repair = due and wishes.allows_repairs(self._clock())
            await self._turn.consider(evidence, may_repair=may_repair)

    def _step(self, event: Event, now: float) -> Step:
        return step(self.state, event, now, self._rules)

    async def _go(
        self,
        taken: Step,
        evidence: Evidence,
        finding: Finding,
        *,
        notes: Sequence[tuple[HealEvent, list[str]]] = (),
        said: Sequence[str] = (),
    ) -> None:
        """Remember the new state together with the events that go with it, write those down, then act.

        Killed in between, the next watchdog writes them: each has its id from the beginning.
        """
        state, acts = taken
        kept = with_incident(self._kept, state, acts, self._clock())
        before, incident = self._kept.incident, kept.incident
        entries = list(notes)
        for act in acts:
            of = before if act in _OVER else incident  # one may end with the look that begins the next
            if of is not None and act in _KINDS:
                entries.append((self._seen(_KINDS[act], of, evidence, finding, state), []))
        owed = [event for event, _ in entries]
        untold = [*self._kept.untold, *news_in(owed, kept)]
        stepped = {name: getattr(kept, name) for name in _STEPPED}
        repair = self._kept.repair if state.phase is Phase.REPAIRING else None
        if Act.REPAIR in acts and incident is not None:
            repair = planned_repair(
                incident,
                evidence,
                finding,
                node=self._host.node,
                at=self._clock(),
                attempt=state.attempts,
            )
        # a look and a repair may both be here: each takes off the list what is its own
        await self._keep(**stepped, repair=repair, owed=[*self._kept.owed, *owed], untold=untold)
        for event, lines in entries:
            await self._write(event, lines=lines, said=evidence.said or said)
        ids = {event.id for event in owed}
        await self._keep(owed=[event for event in self._kept.owed if event.id not in ids])
        if Act.REPAIR in acts and repair is not None:
            self._spawn(self._repair(repair, evidence, finding), self._tasks)

    async def _keep(self, **update: Any) -> None:
        """Remember this, on the disk as well if it is news."""
        kept = self._kept.model_copy(update=update)
        if kept != self._kept:
            self._kept = kept
            async with self._saving:  # the last one to write must not be an older one
                await asyncio.to_thread(self._file.save, self._kept)

    def _seen(
        self, kind: EventKind, incident: Incident, evidence: Evidence, finding: Finding, state: State
    ) -> HealEvent:
        """Return the event of something that was seen, and not done."""
        recovered = kind is EventKind.RECOVERED
        return event_of(
            kind,
            incident,
            finding,
            node=self._host.node,
            at=self._clock(),
            attempt=state.attempts,
            evidence_before=evidence.shown() | {"no_repair_because": self._hindrance.reason},
            seconds_to_detect=self._seconds_to_detect(evidence) if kind is EventKind.DETECTED else None,
            seconds_to_recover=seconds_to_recover(incident, state, self._clock()) if recovered else None,
        )

    async def _begins(self, name: str) -> None:
        """Remember what the repair under way is about to do."""
        if self._kept.repair is not None:
            await self._keep(repair=self._kept.repair.model_copy(update={"repair": name}))

    def _seconds_to_detect(self, evidence: Evidence) -> float:
        """Return how long it took to notice; at most the time since the last look with nothing new."""
        since_known = evidence.at - self._known_at
        since_exit = evidence.seconds_since_exit
        return round(since_known if since_exit is None else min(since_exit, since_known), 2)

    async def _write(self, event: HealEvent, *, lines: list[str], said: Sequence[str] = ()) -> None:
        """Write the event and the report; people are told in the background."""
        log.warning("heal_event", kind=event.kind, verdict=event.verdict, reason=event.reason)
        name = await self._chronicle.report(event, lines=lines, said=said)
        event = event.model_copy(update={"report": name})
        await self._chronicle.event(event)
        if event.id in {untold.id for untold in self._kept.untold}:
            self._spawn(self._tell(event), self._alerts)

    async def _tell(self, event: HealEvent) -> None:
        """Tell people; it counts as told once that was tried: killed before, the next watchdog does it."""
        await self._chronicle.tell(event)
        kept = after_telling(self._kept, event)
        await self._keep(untold=kept.untold, incident=kept.incident)

    async def _repair(self, planned: HealEvent, evidence: Evidence, finding: Finding) -> None:
        note = self._hindrance.note
        try:
            await self._chronicle.make_way()
            async with asyncio.timeout(REPAIR_SECONDS):
                done = await repair_alone(
                    self._host,
                    evidence,
                    finding.verdict,
                    incident=planned.incident,
                    attempt=planned.attempt,
                    store=self._store,
                    begins=self._begins,
                )
        except TimeoutError:
            done = Repaired("repair", ok=False, said=f"It was not done after {REPAIR_SECONDS:.0f} s.")
        except Exception as exc:  # a repair that breaks must not end the watching
            log.exception("repair_failed")
            done = Repaired("repair", ok=False, said=f"The repair itself failed: {type(exc).__name__}.")
        try:
            after = await self._look()
        except Exception:  # what cannot be looked at now is looked at with the next round
            log.exception("look_after_repair_failed")
            after = evidence
        event = made_repair(planned, done, after, at=self._clock())
        ended = RepairEnded(counts=done.counts, jitter=random.uniform(*_JITTER))
        await self._go(
            self._step(ended, seconds_after_boot()),
            after,
            finding,
            notes=[(event, [*([note] if note else []), *done.lines])] if done.counts else [],
            said=evidence.said,
        )
        self._wake()

    def _spawn(self, work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[Any]]) -> None:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
