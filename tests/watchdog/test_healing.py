"""When the watchdog repairs, waits and gives up."""

from itertools import product

import pytest

from buddy_common.schemas.verdicts import Verdict
from buddy_watchdog.healing import (
    DEGRADED_SECONDS,
    FINE,
    FROZEN_SECONDS,
    HUNG_SECONDS,
    PASSING,
    REPAIRABLE,
    REPORTED,
    STABLE_SECONDS,
    Act,
    CircuitClosed,
    Event,
    Phase,
    RepairEnded,
    Rules,
    Seen,
    State,
    back_off,
    is_due,
    step,
)

BUDGET, STEADY_SECONDS = Rules().budget, Rules().steady_seconds
CRASHED, READY, WEAK = Seen(Verdict.CRASHED), Seen(Verdict.READY), Seen(Verdict.DEGRADED)


def states() -> list[State]:
    """Return one state of each phase, and the ones beside it that matter."""
    return [
        State(),
        State(sick_since=90.0),
        State(phase=Phase.INCIDENT, verdict=Verdict.CRASHED, since=50.0, sick_since=50.0, attempts=1),
        State(phase=Phase.INCIDENT, verdict=Verdict.HUNG, since=50.0, hung_since=50.0, attempts=BUDGET),
        State(phase=Phase.INCIDENT, verdict=Verdict.CRASHED, since=50.0, attempts=1, next_repair_at=1e9),
        State(phase=Phase.REPAIRING, verdict=Verdict.CRASHED, since=50.0, sick_since=50.0, attempts=1),
        State(phase=Phase.RECOVERING, verdict=Verdict.CRASHED, since=50.0, attempts=1, fine_since=95.0),
        State(phase=Phase.OPEN, verdict=Verdict.CRASHED, since=50.0, attempts=BUDGET, circuit_open=True),
        State(phase=Phase.OPEN, attempts=BUDGET, circuit_open=True),
        State(phase=Phase.OPEN, attempts=BUDGET, circuit_open=True, up_since=30.0),
        State(
            phase=Phase.INCIDENT, verdict=Verdict.DEGRADED, since=50.0, attempts=1, up_since=30.0, steady=True
        ),
    ]


def events() -> list[Event]:
    seen = [Seen(verdict, held) for verdict, held in product(Verdict, (None, "A job is under way."))]
    frozen = [Seen(Verdict.HUNG, held, frozen=True) for held in (None, "A job is under way.")]
    return [*seen, *frozen, RepairEnded(), RepairEnded(counts=False), CircuitClosed()]


def test_every_verdict_belongs_to_one_kind() -> None:
    kinds = [FINE, PASSING, REPAIRABLE, REPORTED, frozenset({Verdict.STOPPED})]

    assert sorted(verdict for kind in kinds for verdict in kind) == sorted(Verdict)


@pytest.mark.parametrize("state", states(), ids=lambda s: f"{s.phase}-{s.attempts}-{s.verdict}")
@pytest.mark.parametrize("event", events(), ids=str)
@pytest.mark.parametrize("now", [100.0, 100_000.0])
def test_every_pair_of_state_and_event_keeps_the_rules(state: State, event: Event, now: float) -> None:
    after, acts = step(state, event, now)

    if Act.REPAIR in acts:
        assert isinstance(event, Seen)
        assert event.verdict in REPAIRABLE
        assert event.held_back is None
        assert state.phase not in {Phase.REPAIRING, Phase.OPEN}
        assert not state.circuit_open
        assert after.phase is Phase.REPAIRING
        assert after.attempts == state.attempts + 1 <= BUDGET
    assert acts.count(Act.REPAIR) + acts.count(Act.GIVE_UP) <= 1
    is_another = after.since != state.since
    assert (Act.BEGIN in acts) == (after.in_incident and is_another)
    assert (Act.RECOVER in acts or Act.END in acts) == (state.in_incident and is_another)
    assert (after.phase is Phase.OPEN) <= after.circuit_open
    assert (after.phase in {Phase.INCIDENT, Phase.REPAIRING, Phase.RECOVERING}) <= after.in_incident
    assert step(state, event, now) == (after, acts)


def test_a_crash_is_repaired_at_once() -> None:
    after, acts = step(State(), CRASHED, 100.0)

    assert acts == [Act.BEGIN, Act.REPAIR]
    assert (after.phase, after.attempts) == (Phase.REPAIRING, 1)


def test_five_crashes_in_a_row_open_the_circuit_once() -> None:
    state, told, now = State(), [], 0.0
    for _ in range(BUDGET + 3):
        state, acts = step(state, CRASHED, now)
        told += acts
        state, _ = step(state, RepairEnded(jitter=1.0), now)
        state, _ = step(state, READY, now)  # it comes up, and dies again
        now += 700.0 if state.phase is Phase.OPEN else back_off(state.attempts, 1.0)

    assert told.count(Act.REPAIR) == BUDGET
    assert told.count(Act.GIVE_UP) == 1
    assert told.count(Act.BEGIN) == 1


def test_the_pauses_between_repairs_double_up_to_ten_minutes() -> None:
    assert [back_off(attempts, 1.0) for attempts in range(1, 9)] == [10, 20, 40, 80, 160, 320, 600, 600]
    assert back_off(1, 0.8) == 8.0


def test_it_waits_between_two_repairs() -> None:
    state, _ = step(State(), CRASHED, 100.0)
    state, _ = step(state, RepairEnded(jitter=1.0), 110.0)

    assert step(state, CRASHED, 119.0)[1] == []
    assert step(state, CRASHED, 120.0)[1] == [Act.REPAIR]


@pytest.mark.parametrize("verdict", [Verdict.CONFIG_ERROR, Verdict.CRASH_LOOP])
def test_what_a_start_did_not_help_is_mended_at_once_and_only_once(verdict: Verdict) -> None:
    to_mend = Seen(verdict)
    state, _ = step(State(), CRASHED, 100.0)
    state, _ = step(state, RepairEnded(), 110.0)
    assert is_due(state, verdict, 110.0)
    assert not is_due(state, Verdict.CRASHED, 110.0)

    state, acts = step(state, to_mend, 110.0)
    assert (acts, state.attempts) == ([Act.CHANGE, Act.REPAIR], 2)
    state, _ = step(state, RepairEnded(), 120.0)
    for seen in (CRASHED, to_mend, Seen(Verdict.CONFIG_ERROR), Seen(Verdict.CRASH_LOOP)):
        state, acts = step(state, seen, 139.0)
        assert Act.REPAIR not in acts
    assert Act.REPAIR in step(state, to_mend, 140.0)[1]


def test_a_mending_waits_for_a_job_and_is_none_without_budget() -> None:
    spent = State(phase=Phase.INCIDENT, verdict=Verdict.CRASHED, since=0.0, attempts=BUDGET)
    to_mend = Seen(Verdict.CONFIG_ERROR)

    assert step(spent, to_mend, 100.0)[1] == [Act.CHANGE, Act.GIVE_UP]
    assert step(State(), Seen(Verdict.CONFIG_ERROR, "A job is under way."), 100.0)[1] == [Act.BEGIN]


def test_the_next_incident_may_be_mended_at_once_as_well() -> None:
    state = State(attempts=2, next_repair_at=1_000.0, mended=True)

    assert step(state, Seen(Verdict.CONFIG_ERROR), 100.0)[1] == [Act.BEGIN, Act.REPAIR]


def test_an_incident_is_over_when_it_was_well_for_a_minute() -> None:
    state = State(phase=Phase.INCIDENT, verdict=Verdict.CRASHED, since=0.0, attempts=1)
    state, early = step(state, READY, 100.0)
    state, later = step(state, READY, 100.0 + STEADY_SECONDS - 1)
    state, over = step(state, READY, 100.0 + STEADY_SECONDS)

    assert (early, later, over) == ([], [], [Act.RECOVER])
    assert (state.phase, state.attempts) == (Phase.CALM, 1)


def test_a_stable_hour_gives_the_budget_back_and_closes_the_circuit() -> None:
    state = State(phase=Phase.OPEN, attempts=BUDGET, circuit_open=True, up_since=0.0)

    almost, _ = step(state, READY, STABLE_SECONDS - 1)
    after, _ = step(state, READY, STABLE_SECONDS)

    assert (almost.phase, almost.attempts) == (Phase.OPEN, BUDGET)
    assert (after.phase, after.attempts) == (Phase.CALM, 0)


def test_closing_the_circuit_by_hand_lets_it_repair_at_once() -> None:
    state = State(phase=Phase.OPEN, verdict=Verdict.CRASHED, since=0.0, attempts=BUDGET, circuit_open=True)

    state, _ = step(state, CircuitClosed(), 100.0)

    assert step(state, CRASHED, 100.0)[1] == [Act.REPAIR]


def test_nothing_is_repaired_while_it_is_held_back_and_all_is_when_it_is_not() -> None:
    state, acts = step(State(), Seen(Verdict.CRASHED, "paused"), 100.0)

    assert acts == [Act.BEGIN]
    assert step(state, CRASHED, 101.0)[1] == [Act.REPAIR]


@pytest.mark.parametrize("verdict", sorted(REPORTED | PASSING | FINE | {Verdict.STOPPED}))
def test_nothing_else_is_ever_repaired(verdict: Verdict) -> None:
    for state, now in product(states(), (100.0, 100_000.0)):
        assert Act.REPAIR not in step(state, Seen(verdict), now)[1]


def test_a_hang_is_given_a_moment_to_end_by_itself() -> None:
    hung = Seen(Verdict.HUNG)
    state, first = step(State(), hung, 100.0)
    state, second = step(state, hung, 100.0 + HUNG_SECONDS)

    assert (first, second) == ([Act.BEGIN], [Act.REPAIR])


def test_a_freeze_is_given_a_blink_only() -> None:
    frozen = Seen(Verdict.HUNG, frozen=True)
    state, first = step(State(), frozen, 100.0)

    assert first == [Act.BEGIN]
    assert step(state, frozen, 100.0 + FROZEN_SECONDS - 0.1)[1] == []
    assert step(state, frozen, 100.0 + FROZEN_SECONDS)[1] == [Act.REPAIR]
    assert step(state, Seen(Verdict.HUNG), 100.0 + FROZEN_SECONDS)[1] == []


def test_a_hang_after_a_long_weakness_is_given_the_same_moment() -> None:
    weak = State(phase=Phase.INCIDENT, verdict=Verdict.DEGRADED, since=0.0, sick_since=0.0, steady=True)
    hung = Seen(Verdict.HUNG)

    state, first = step(weak, hung, 4000.0)

    assert Act.REPAIR not in first
    assert step(state, hung, 4000.0 + HUNG_SECONDS - 1)[1] == []
    assert step(state, hung, 4000.0 + HUNG_SECONDS)[1] == [Act.REPAIR]


def test_a_passing_weakness_is_no_incident() -> None:
    state, first = step(State(), WEAK, 100.0)
    well, _ = step(state, READY, 101.0)

    assert first == step(well, WEAK, 100.0 + DEGRADED_SECONDS)[1] == []
    assert step(state, WEAK, 100.0 + DEGRADED_SECONDS)[1] == [Act.BEGIN]


def test_one_that_is_weak_for_weeks_is_repaired_each_time_and_each_crash_is_an_incident_of_its_own() -> None:
    state, _ = step(State(), WEAK, 0.0)
    state, acts = step(state, WEAK, DEGRADED_SECONDS)
    assert acts == [Act.BEGIN]
    for week in range(1, BUDGET + 3):
        now = week * 7 * 86_400.0
        state, acts = step(state, CRASHED, now)
        assert (acts, state.attempts, state.since) == ([Act.END, Act.BEGIN, Act.REPAIR], 1, now)
        state, _ = step(state, RepairEnded(), now + 20)
        state, acts = step(state, WEAK, now + 21)
        assert acts == [Act.CHANGE]
        state, _ = step(state, WEAK, now + 21 + STABLE_SECONDS)


def test_one_that_breaks_within_a_minute_of_being_up_and_weak_stays_in_its_incident() -> None:
    state, told, now = State(), [], 0.0
    for _ in range(BUDGET + 3):
        state, acts = step(state, CRASHED, now)
        told += acts
        state, _ = step(state, RepairEnded(jitter=1.0), now)
        state, _ = step(state, WEAK, now)
        state, _ = step(state, WEAK, now + STEADY_SECONDS - 1)
        now += back_off(state.attempts, 1.0)

    assert told.count(Act.REPAIR) == BUDGET
    assert (told.count(Act.BEGIN), told.count(Act.GIVE_UP), told.count(Act.END)) == (1, 1, 0)


@pytest.mark.parametrize("passing", sorted(PASSING))
def test_one_that_was_weak_and_dies_as_it_restarts_is_another_incident(passing: Verdict) -> None:
    state, _ = step(State(), WEAK, 0.0)
    state, _ = step(state, WEAK, DEGRADED_SECONDS)
    state, _ = step(state, Seen(passing), 500.0)

    assert step(state, CRASHED, 510.0)[1] == [Act.END, Act.BEGIN, Act.REPAIR]


def test_a_circuit_closes_over_one_that_was_up_and_weak_for_an_hour() -> None:
    state = State(phase=Phase.OPEN, verdict=Verdict.CRASHED, since=0.0, attempts=BUDGET, circuit_open=True)
    state, _ = step(state, WEAK, 100.0)
    almost, _ = step(state, WEAK, 99.0 + STABLE_SECONDS)
    after, _ = step(state, WEAK, 100.0 + STABLE_SECONDS)

    assert (almost.phase, almost.attempts) == (Phase.OPEN, BUDGET)
    assert (after.phase, after.attempts) == (Phase.INCIDENT, 0)


@pytest.mark.parametrize("between", [Verdict.STARTING, Verdict.DRAINING, Verdict.HUNG, Verdict.CRASHED])
def test_an_hour_in_which_it_was_not_up_all_the_time_gives_no_budget_back(between: Verdict) -> None:
    state = State(attempts=2, next_repair_at=9_999.0, up_since=0.0)
    state, _ = step(state, Seen(between), 1000.0)
    state, _ = step(state, READY, 1001.0)

    assert step(state, READY, STABLE_SECONDS + 1000.0)[0].attempts == 2
    assert step(state, READY, STABLE_SECONDS + 1001.0)[0].attempts == 0


def test_a_stop_on_purpose_ends_an_incident_but_not_an_open_circuit() -> None:
    state = State(phase=Phase.OPEN, verdict=Verdict.CRASHED, since=0.0, attempts=BUDGET, circuit_open=True)

    after, acts = step(state, Seen(Verdict.STOPPED), 100.0)

    assert acts == [Act.END]
    assert (after.phase, after.circuit_open, after.in_incident) == (Phase.OPEN, True, False)


def test_a_repair_that_found_its_place_taken_does_not_count() -> None:
    state, _ = step(State(), CRASHED, 100.0)

    after, _ = step(state, RepairEnded(counts=False), 101.0)

    assert (after.phase, after.attempts) == (Phase.INCIDENT, 0)
