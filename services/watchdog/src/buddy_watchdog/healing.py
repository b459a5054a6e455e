"""When to repair, when to wait, when to give up: `step(state, event, now)`, pure.

Times are seconds after boot. A repair is chosen elsewhere; here is decided whether and when one is made.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from buddy_common.schemas.verdicts import Verdict

FIRST_BACK_OFF_SECONDS = 10.0
LONGEST_BACK_OFF_SECONDS = 600.0
STABLE_SECONDS = 3600.0
DEGRADED_SECONDS = 60.0  # channels connect again by themselves; nobody is told of a passing weakness
# silence that a probe and a ping agree on is a hang; a busy machine gets a little longer to prove it wrong
HUNG_SECONDS = 12.0
# to wait longer helps nobody who was stopped by a signal; who stops it for the blink of a snapshot is let be
FROZEN_SECONDS = 2.0

FINE = frozenset({Verdict.READY, Verdict.SAFE_MODE})
PASSING = frozenset({Verdict.STARTING, Verdict.DRAINING})
# it works, as far as it goes: a weakness that lasts is no reason to count an old repair for ever
UP = FINE | {Verdict.DEGRADED, Verdict.CONFIG_BROKEN}
REPAIRABLE = frozenset(
    {Verdict.HUNG, Verdict.CRASHED, Verdict.CRASH_LOOP, Verdict.CONFIG_ERROR, Verdict.OUT_OF_MEMORY}
)
# its first repair mends the config, so it need not wait for what a start before it came to
_MENDED = frozenset({Verdict.CONFIG_ERROR, Verdict.CRASH_LOOP})
# a person has to look: no repair of ours would help, or none is needed
REPORTED = frozenset(
    {
        Verdict.DEGRADED, Verdict.CONFIG_BROKEN, Verdict.PORT_TAKEN, Verdict.DISK_FULL, Verdict.NOT_INSTALLED,
    }
)  # fmt: skip


@dataclass(frozen=True)
class Rules:
    """What an operator may set."""

    budget: int = 5  # repairs, until it was up for a stable hour or somebody closes the circuit
    # well for so long, an incident is over: an earlier death belongs to it; up with a weakness for so long,
    # a death is another incident
    steady_seconds: float = 60.0
    start_ceiling_seconds: float = 600.0  # a start that is not up by then hangs, however much it does


class Phase(StrEnum):
    """Where the watchdog is with this gateway."""

    CALM = "calm"
    INCIDENT = "incident"
    REPAIRING = "repairing"
    RECOVERING = "recovering"  # well again, but not yet for long
    OPEN = "open"  # the budget is spent: it watches, and repairs nothing


class State(BaseModel):
    """What survives the watchdog's own death."""

    model_config = ConfigDict(frozen=True)

    phase: Phase = Phase.CALM
    verdict: Verdict | None = None  # of the incident
    since: float | None = None  # the incident began
    sick_since: float | None = None  # this verdict, before it counts as an incident
    hung_since: float | None = None
    attempts: int = 0
    next_repair_at: float = 0.0
    mended: bool = False  # the config was to be, in this incident
    fine_since: float | None = None
    up_since: float | None = None  # well or weak, and not repaired
    steady: bool = False  # it was up for so long that what breaks next is another incident
    circuit_open: bool = False

    @property
    def in_incident(self) -> bool:
        """Whether one is open."""
        return self.since is not None


@dataclass(frozen=True)
class Seen:
    """A verdict; `held_back`: why no repair may be made now; `frozen`: it was stopped by a signal."""

    verdict: Verdict
    held_back: str | None = None
    frozen: bool = False


@dataclass(frozen=True)
class RepairEnded:
    """A repair has ended. One that found its place taken does not count. `jitter` is in [0.8, 1]."""

    counts: bool = True
    jitter: float = 1.0


@dataclass(frozen=True)
class CircuitClosed:
    """Somebody has closed the circuit by hand."""


class Act(StrEnum):
    """What is to be done; the order of a list is the order of doing."""

    BEGIN = "begin"
    CHANGE = "change"
    REPAIR = "repair"
    GIVE_UP = "give_up"
    RECOVER = "recover"
    END = "end"


Event = Seen | RepairEnded | CircuitClosed
Step = tuple[State, list[Act]]


def step(state: State, event: Event, now: float, rules: Rules = Rules()) -> Step:
    """Return the next state, and what is to be done. Every pair of phase and event is covered."""
    if isinstance(event, RepairEnded):
        return _after_repair(state, event, now)
    if isinstance(event, CircuitClosed):
        return _closed(state, now)
    return _seen(state, event, now, rules)


def _seen(state: State, event: Seen, now: float, rules: Rules) -> Step:
    if state.phase is Phase.REPAIRING:  # the repair itself looks whether it helped
        return state, []
    if event.verdict in UP:
        state = _stays_up(state, now, rules)
    if event.verdict in FINE:
        return _fine(state, now, rules)
    if event.verdict is Verdict.STOPPED:
        return _stopped(state)
    if event.verdict in PASSING:
        passing = {"fine_since": None, "up_since": None, "sick_since": None, "hung_since": None}
        return state.model_copy(update=passing), []
    return _sick(state, event, now, rules)


def back_off(attempts: int, jitter: float) -> float:
    """Return how long to wait after so many repairs, in seconds: 10 s, doubled each time, 10 min at most."""
    return min(LONGEST_BACK_OFF_SECONDS, FIRST_BACK_OFF_SECONDS * 2.0 ** max(0, attempts - 1)) * jitter


def _after_repair(state: State, event: RepairEnded, now: float) -> Step:
    if state.phase is not Phase.REPAIRING:  # one of an earlier life
        return state, []
    attempts = state.attempts if event.counts else max(0, state.attempts - 1)
    wait = back_off(attempts, event.jitter) if event.counts else FIRST_BACK_OFF_SECONDS
    return state.model_copy(
        update={
            "phase": Phase.INCIDENT,
            "attempts": attempts,
            "next_repair_at": now + wait,
            "hung_since": None,
        }
    ), []


def _closed(state: State, now: float) -> Step:
    """Close the circuit and forget what was tried; an incident goes on, and may be repaired at once."""
    update: dict[str, Any] = {"attempts": 0, "next_repair_at": now, "circuit_open": False}
    if state.phase is Phase.OPEN:
        update["phase"] = Phase.INCIDENT if state.in_incident else Phase.CALM
    return state.model_copy(update=update), []


def _stays_up(state: State, now: float, rules: Rules) -> State:
    """Give the budget back to one that has stayed up for an hour, and close its circuit."""
    up_since = state.up_since if state.up_since is not None else now
    steady = state.steady or now - up_since >= rules.steady_seconds
    state = state.model_copy(update={"up_since": up_since, "steady": steady})
    spent = state.attempts or state.circuit_open
    return _closed(state, now)[0] if spent and now - up_since >= STABLE_SECONDS else state


def _fine(state: State, now: float, rules: Rules) -> Step:
    fine_since = state.fine_since if state.fine_since is not None else now
    state = state.model_copy(update={"fine_since": fine_since, "sick_since": None, "hung_since": None})
    well_for = now - fine_since
    if not state.in_incident:
        phase = Phase.OPEN if state.circuit_open else Phase.CALM
        return state.model_copy(update={"phase": phase}), []
    if well_for < rules.steady_seconds:
        return state.model_copy(update={"phase": Phase.RECOVERING}), []
    phase = Phase.OPEN if state.circuit_open else Phase.CALM
    over = {"phase": phase, "verdict": None, "since": None}
    return state.model_copy(update=over), [Act.RECOVER]


def _stopped(state: State) -> Step:
    """Leave alone what was stopped on purpose; whatever was wrong with it is nobody's trouble now."""
    calm = State(attempts=state.attempts, circuit_open=state.circuit_open)
    if state.circuit_open:
        calm = calm.model_copy(update={"phase": Phase.OPEN})
    return calm, [Act.END] if state.in_incident else []


def _sick(state: State, event: Seen, now: float, rules: Rules) -> Step:
    sick_since = now if state.sick_since is None else state.sick_since
    hung_since = now if state.hung_since is None else state.hung_since
    hung = event.verdict is Verdict.HUNG
    state = state.model_copy(
        update={
            "fine_since": None,
            "sick_since": sick_since,
            "hung_since": hung_since if hung else None,
        }
    )
    if event.verdict is Verdict.DEGRADED and not state.in_incident and now - sick_since < DEGRADED_SECONDS:
        return state, []
    state, acts = _with_incident(state, event.verdict, now)
    if state.circuit_open:
        return state.model_copy(update={"phase": Phase.OPEN}), acts
    state = state.model_copy(update={"phase": Phase.INCIDENT})
    if event.verdict not in REPAIRABLE or not _is_due(state, event, now):
        return state, acts
    if state.attempts >= rules.budget:
        return state.model_copy(update={"phase": Phase.OPEN, "circuit_open": True}), [*acts, Act.GIVE_UP]
    mended = state.mended or event.verdict in _MENDED
    repairing = {"phase": Phase.REPAIRING, "attempts": state.attempts + 1, "mended": mended}
    return state.model_copy(update=repairing), [*acts, Act.REPAIR]


def _with_incident(state: State, verdict: Verdict, now: float) -> Step:
    """Return the incident that the verdict belongs to: a new one where it was up for a minute and breaks."""
    breaks = verdict not in UP
    is_another = breaks and state.steady
    acts: list[Act] = []
    if is_another or not state.in_incident:
        acts = [Act.END, Act.BEGIN] if state.in_incident else [Act.BEGIN]
        state = state.model_copy(update={"since": now, "mended": False})
    elif state.verdict is not verdict:
        acts = [Act.CHANGE]
    down = {"up_since": None, "steady": False} if breaks else {}
    return state.model_copy(update={"verdict": verdict, **down}), acts


def is_due(state: State, verdict: Verdict, now: float) -> bool:
    """Whether a repair might be made now: of a gateway that is gone, and maybe on its way up by some job."""
    return verdict in REPAIRABLE | PASSING and not state.circuit_open and _has_waited(state, verdict, now)


def _has_waited(state: State, verdict: Verdict, now: float) -> bool:
    """Whether the pause is over; there is none before the other remedy, once in an incident."""
    return now >= state.next_repair_at or (verdict in _MENDED and not state.mended)


def _is_due(state: State, event: Seen, now: float) -> bool:
    if event.held_back is not None or not _has_waited(state, event.verdict, now):
        return False
    grace = FROZEN_SECONDS if event.frozen else HUNG_SECONDS
    return state.hung_since is None or now - state.hung_since >= grace
