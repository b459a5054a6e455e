"""Which evidence gives which verdict."""

from dataclasses import replace

import pytest

from buddy_common.schemas.gateway import Desired, GatewayOwner, Probe
from buddy_common.schemas.processes import ProcessExit
from buddy_common.schemas.verdicts import Verdict
from buddy_watchdog.evidence import ConfigLook, Evidence, SocketLook
from buddy_watchdog.memory import Memory, remember
from buddy_watchdog.verdict import (
    CEILING_SECONDS,
    CONTAINER_SECONDS,
    LOOP_DEATHS,
    SLOW_SECONDS,
    STALL_SECONDS,
    judge,
)
from watchdog.looks import GATEWAY, NEXT, READY, SILENT, STARTING, alive, gone, snapshot, wanted


def verdict_of(*looks: Evidence) -> Verdict:
    """Return what is made of the last of these looks."""
    memory = Memory()
    for evidence in looks:
        memory = remember(memory, evidence)
    return judge(looks[-1], memory).verdict


NOT_READY = Probe(live=True, started=True, ready=False, failing=["telegram"])
DRAINING = Probe(live=True, started=True, ready=False, draining=True, failing=["gateway-draining"])
NO_SPACE = "Error: ENOSPC: no space left on device"
SLOW = Probe(live=True, started=True, ready=True, event_loop_delay_p99_ms=4000.0)


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (alive(), Verdict.READY),
        (alive(quarantined=1), Verdict.SAFE_MODE),
        (alive(probe=STARTING), Verdict.STARTING),
        (alive(probe=SILENT, listens=False), Verdict.STARTING),
        (alive(probe=DRAINING), Verdict.DRAINING),
        (alive(probe=NOT_READY), Verdict.DEGRADED),
        (alive(probe=SLOW), Verdict.READY),
        (alive(channels_held_back=True), Verdict.DEGRADED),
        (alive(frozen=True), Verdict.HUNG),
        (alive(config=ConfigLook(problem="not JSON5")), Verdict.CONFIG_BROKEN),
        (alive(disk_free_bytes=1024), Verdict.DISK_FULL),
        (alive(state_writable=False), Verdict.DISK_FULL),
        (gone(), Verdict.CRASHED),
        (gone(ended=ProcessExit(code=1)), Verdict.CRASHED),
        (gone(ended=ProcessExit(code=0)), Verdict.CRASHED),
        (gone(ended=ProcessExit(code=78)), Verdict.CONFIG_ERROR),
        (gone(ended=ProcessExit(code=1), said=("Config invalid", "Problem: …")), Verdict.CONFIG_ERROR),
        (gone(ended=ProcessExit(code=1), config=ConfigLook(problem="not JSON5")), Verdict.CONFIG_ERROR),
        (gone(config=ConfigLook(problem="not JSON5")), Verdict.CRASHED),
        (gone(ended=ProcessExit(code=78), said=("another OpenClaw process owns it",)), Verdict.CRASHED),
        (
            gone(ended=ProcessExit(signal="SIGABRT"), said=("JavaScript heap out of memory",)),
            Verdict.OUT_OF_MEMORY,
        ),
        (gone(ended=ProcessExit(code=1), said=(NO_SPACE,)), Verdict.DISK_FULL),
        (gone(ended=ProcessExit(signal="SIGKILL"), said=(NO_SPACE,)), Verdict.CRASHED),
        (gone(ended=ProcessExit(code=143), said=(NO_SPACE,)), Verdict.CRASHED),
        (gone(ended=ProcessExit(), said=(NO_SPACE,)), Verdict.CRASHED),
        (gone(said=("JavaScript heap out of memory",)), Verdict.CRASHED),
        (gone(ended=None, said=("JavaScript heap out of memory",)), Verdict.OUT_OF_MEMORY),
        (gone(ended=None, said=(NO_SPACE,)), Verdict.DISK_FULL),
        (gone(disk_free_bytes=1024), Verdict.DISK_FULL),
        (gone(ended=ProcessExit(code=1), said=("ENOSPC: System limit for watchers",)), Verdict.CRASHED),
        (gone(snapshot=snapshot(SILENT, foreign_listener="nginx (pid 7)")), Verdict.PORT_TAKEN),
        (gone(installed=False), Verdict.NOT_INSTALLED),
        (gone(lifecycle_busy=True), Verdict.STARTING),
        (wanted(gone(), Desired.STOPPED), Verdict.STOPPED),
        (wanted(gone(), None), Verdict.STOPPED),
    ],
)
def test_one_look(evidence: Evidence, expected: Verdict) -> None:
    assert verdict_of(evidence) is expected


def test_an_event_loop_that_stays_slow_is_a_weakness_and_one_that_was_is_none() -> None:
    assert verdict_of(alive(0.0, SLOW), alive(SLOW_SECONDS, SLOW)) is Verdict.DEGRADED
    assert verdict_of(alive(0.0, SLOW), alive(10.0), alive(SLOW_SECONDS, SLOW)) is Verdict.READY


def test_one_that_accepts_and_does_not_answer_is_hung_once_its_silence_lasts() -> None:
    looks = [alive(0.0), alive(5.0, SILENT), alive(8.0, SILENT)]

    assert verdict_of(*looks[:2]) is Verdict.DEGRADED
    assert verdict_of(*looks) is Verdict.HUNG


def test_one_that_had_to_wait_for_a_processor_gets_that_time_to_answer_up_to_a_bound() -> None:
    def starved(at: float, probe: Probe, seconds: float) -> Evidence:
        return alive(at, probe, starved_seconds=100.0 + seconds)

    answered = starved(0.0, READY, 0.0)
    busy = [answered, starved(5.0, SILENT, 2.0), starved(10.0, SILENT, 3.0)]

    assert verdict_of(*busy) is Verdict.DEGRADED
    assert verdict_of(*busy, starved(11.0, SILENT, 3.0)) is Verdict.HUNG
    assert verdict_of(answered, starved(12.0, SILENT, 11.0)) is Verdict.HUNG
    # what it had to wait for before it answered last is no excuse
    assert verdict_of(*busy[:2], starved(6.0, READY, 2.5), starved(14.0, SILENT, 2.5)) is Verdict.HUNG


def test_one_that_answers_pings_is_not_hung_however_slow_its_health_routes_are() -> None:
    pinged = alive(20.0, SILENT, socket=SocketLook(connected=True, answered_at=16.0))

    assert verdict_of(alive(0.0), pinged) is Verdict.DEGRADED
    assert verdict_of(alive(0.0), alive(20.0, SILENT)) is Verdict.HUNG


def test_a_disk_that_was_cleared_since_is_full_no_more() -> None:
    said = gone(1.0, ended=ProcessExit(code=1), said=(NO_SPACE,))

    assert verdict_of(alive(0.0), said) is Verdict.DISK_FULL
    assert verdict_of(alive(0.0), said, replace(said, at=100.0)) is Verdict.CRASHED


def test_a_listener_that_has_never_answered_is_starting_and_no_hang() -> None:
    assert verdict_of(alive(0.0, SILENT), alive(50.0, SILENT)) is Verdict.STARTING


@pytest.mark.parametrize("mark", [{"cpu_seconds": 9.0}, {"log_end": 10}, {"probe": STARTING}])
def test_a_start_that_gets_anywhere_is_never_hung(mark: dict[str, object]) -> None:
    still = [alive(at, SILENT, listens=False) for at in (0.0, STALL_SECONDS - 1)]
    moves = alive(STALL_SECONDS + 1, **{"probe": SILENT, "listens": False, **mark})  # type: ignore[arg-type]
    stands = alive(STALL_SECONDS + 1, SILENT, listens=False)

    assert verdict_of(*still, moves) is Verdict.STARTING
    assert verdict_of(*still, stands) is Verdict.HUNG


def test_a_gateway_that_restarts_inside_its_process_is_starting() -> None:
    away = alive(4.0, SILENT, listens=False, cpu_seconds=2.0)

    assert verdict_of(alive(0.0), away) is Verdict.STARTING


def starts(until: float, *, step: float = 10.0, starved: float = 0.0) -> list[Evidence]:
    """Return looks at a start that never ends and always gets somewhere; `starved`: for that part of it."""
    return [
        alive(at, STARTING, cpu_seconds=at, starved_seconds=at * starved)
        for at in (step * number for number in range(int(until / step) + 1))
    ]


def test_a_start_that_gets_somewhere_for_ever_is_no_start_after_its_ceiling() -> None:
    assert verdict_of(*starts(CEILING_SECONDS - 10)) is Verdict.STARTING
    assert verdict_of(*starts(CEILING_SECONDS)) is Verdict.HUNG


def test_time_in_which_the_machine_did_not_let_it_run_is_not_charged_to_a_start() -> None:
    assert verdict_of(*starts(1.5 * CEILING_SECONDS, starved=0.5)) is Verdict.STARTING
    assert verdict_of(*starts(2 * CEILING_SECONDS, starved=0.5)) is Verdict.HUNG


def test_a_machine_that_slept_has_not_let_it_start_meanwhile() -> None:
    assert verdict_of(*starts(2 * CEILING_SECONDS, step=CEILING_SECONDS)) is Verdict.STARTING


def test_the_age_of_a_start_that_began_before_us_is_charged_in_part() -> None:
    looks = [alive(at, STARTING, age_seconds=90_000.0 + at, cpu_seconds=at) for at in range(0, 400, 10)]

    assert verdict_of(*looks[:30]) is Verdict.STARTING
    assert verdict_of(*looks) is Verdict.HUNG


def test_one_that_spins_is_hung_however_much_it_computes() -> None:
    spins = [alive(float(at), SILENT, cpu_seconds=float(at)) for at in range(1, 9)]

    assert verdict_of(alive(0.0), *spins[:-1]) is Verdict.DEGRADED
    assert verdict_of(alive(0.0), *spins) is Verdict.HUNG


def test_a_watchdog_that_was_restarted_meanwhile_knows_that_it_was_up_and_is_hung() -> None:
    memory = Memory(up=GATEWAY, watched_since=0.0)
    looks = [alive(at, SILENT, cpu_seconds=at) for at in (5.5, 12.0)]  # each probe waits 5 s
    verdicts = []
    for evidence in looks:
        memory = remember(memory, evidence)
        verdicts.append(judge(evidence, memory).verdict)

    assert verdicts == [Verdict.DEGRADED, Verdict.HUNG]


def test_one_that_restarts_inside_its_process_gets_the_time_of_a_start() -> None:
    """The older OpenClaw opens its port and is then silent for up to 17 s."""
    away = alive(4.0, SILENT, listens=False, cpu_seconds=2.0)
    busy = [alive(float(at), SILENT, cpu_seconds=float(at)) for at in range(5, 60)]

    assert verdict_of(alive(0.0), away, *busy) is Verdict.STARTING


def test_deaths_in_a_row_are_a_loop_however_they_came_back() -> None:
    looks: list[Evidence] = []
    for number in range(LOOP_DEATHS):
        looks += [alive(number * 20.0, process=replace(GATEWAY, pid=100 + number)), gone(number * 20.0 + 10)]

    assert verdict_of(*looks[:-2]) is Verdict.CRASHED
    assert verdict_of(*looks) is Verdict.CRASH_LOOP


def test_a_process_that_took_the_place_of_another_means_that_one_died() -> None:
    looks = [alive(0.0), alive(1.0, process=NEXT), gone(2.0)]
    memory = Memory()
    for evidence in looks:
        memory = remember(memory, evidence)

    assert memory.deaths == (1.0, 2.0)


SAID_RESTART = SocketLook(said_restart=True)


@pytest.mark.parametrize(
    "meant",
    [{"lifecycle_busy": True}, {"repairing": True}, {"socket": SAID_RESTART, "ended": ProcessExit(code=0)}],
)
def test_an_end_that_was_meant_is_no_death(meant: dict[str, object]) -> None:
    memory = remember(remember(Memory(), alive(0.0)), gone(1.0, **meant))  # type: ignore[arg-type]

    assert memory.deaths == ()


def test_what_a_repair_has_started_dies_like_any_other() -> None:
    memory = Memory()
    for evidence in (
        alive(0.0),
        gone(1.0, repairing=True),
        alive(2.0, process=NEXT, repairing=True),
        gone(3.0, repairing=True),
    ):
        memory = remember(memory, evidence)

    assert memory.deaths == (3.0,)


def test_who_says_that_it_restarts_itself_gets_its_time() -> None:
    said = gone(1.0, socket=SAID_RESTART, ended=ProcessExit(code=0))

    assert verdict_of(alive(0.0), said) is Verdict.STARTING
    assert verdict_of(alive(0.0), said, gone(300.0, ended=ProcessExit(code=0))) is Verdict.CRASHED
    assert verdict_of(alive(0.0), gone(1.0, socket=SAID_RESTART, ended=ProcessExit())) is Verdict.STARTING


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (ProcessExit(code=1), Verdict.CRASHED),
        (ProcessExit(code=78), Verdict.CONFIG_ERROR),
        (ProcessExit(signal="SIGSEGV"), Verdict.CRASHED),
        (ProcessExit(signal="SIGKILL"), Verdict.CRASHED),
    ],
)
def test_who_dies_while_it_restarts_itself_has_crashed(ended: ProcessExit, expected: Verdict) -> None:
    looks = [alive(0.0), gone(1.0, socket=SAID_RESTART, ended=ended)]

    assert verdict_of(*looks) is expected
    assert remember(remember(Memory(), looks[0]), looks[1]).deaths == (1.0,)


@pytest.mark.parametrize("code", [0, 1])
def test_one_of_ours_keeps_its_process_as_it_restarts_itself_and_has_crashed_without(code: int) -> None:
    ours = alive(0.0, snapshot=snapshot(READY, owner=GatewayOwner.OURS))

    assert verdict_of(ours, gone(1.0, socket=SAID_RESTART, ended=ProcessExit(code=code))) is Verdict.CRASHED


def test_an_exit_on_record_says_nothing_of_one_whose_end_nobody_records() -> None:
    plain = alive(0.0, snapshot=snapshot(READY, owner=GatewayOwner.PLAIN))

    assert verdict_of(plain, gone(1.0, socket=SAID_RESTART, ended=ProcessExit(code=1))) is Verdict.STARTING


def test_a_kill_for_want_of_memory_is_told_from_another() -> None:
    before = alive(0.0, oom_kills=3)

    assert verdict_of(before, gone(1.0, oom_kills=4)) is Verdict.OUT_OF_MEMORY
    assert verdict_of(before, gone(1.0, oom_kills=3)) is Verdict.CRASHED


@pytest.mark.parametrize(
    ("owner", "code", "expected"),
    [
        (GatewayOwner.SYSTEMD, 0, Verdict.STOPPED),
        (GatewayOwner.SYSTEMD, 143, Verdict.STOPPED),
        (GatewayOwner.SYSTEMD, 1, Verdict.CRASHED),
        (GatewayOwner.OURS, 0, Verdict.CRASHED),
    ],
)
def test_a_service_that_was_stopped_without_us_is_left_alone(
    owner: GatewayOwner, code: int, expected: Verdict
) -> None:
    before = alive(0.0, snapshot=snapshot(READY, owner=owner))

    assert verdict_of(before, gone(1.0, ended=ProcessExit(code=code))) is expected


@pytest.mark.parametrize(
    "ended", [ProcessExit(code=0), ProcessExit(code=143), ProcessExit(signal="SIGTERM")], ids=str
)
def test_a_service_that_we_have_stopped_to_start_it_anew_is_no_wish_of_the_operators(
    ended: ProcessExit,
) -> None:
    kept = Memory(owner=GatewayOwner.SYSTEMD, up=GATEWAY)  # of a watchdog that was killed in its repair
    stopped, ours = gone(1.0, ended=ended), gone(1.0, ended=ended, ended_by_us=True)

    assert judge(stopped, remember(kept, stopped)).verdict is Verdict.STOPPED
    assert judge(ours, remember(kept, ours)).verdict is Verdict.CRASHED
    asked = wanted(ours, Desired.STOPPED)
    assert judge(asked, remember(kept, asked)).verdict is Verdict.STOPPED


def test_an_end_together_with_its_container_is_no_crash_unless_nothing_comes_of_it() -> None:
    ended = gone(1.0, ended=ProcessExit(code=0), container_up=False)

    assert verdict_of(alive(0.0), ended) is Verdict.DRAINING
    assert verdict_of(alive(0.0), ended, replace(ended, at=CONTAINER_SECONDS + 2)) is Verdict.CRASHED
    assert remember(remember(Memory(), alive(0.0)), ended).deaths == ()


def test_a_container_that_has_just_started_gets_its_time_to_start_the_gateway() -> None:
    ended = gone(1.0, ended=ProcessExit(code=0), container_up=True)

    assert verdict_of(ended) is Verdict.STARTING
    assert verdict_of(ended, replace(ended, at=CONTAINER_SECONDS + 2)) is Verdict.CRASHED


@pytest.mark.parametrize(
    "looks",
    [
        [alive(0.0), gone(1.0, ended=ProcessExit(code=0), container_up=True)],  # somebody sent it SIGTERM
        [gone(1.0, ended=ProcessExit(signal="SIGKILL"), container_up=True)],
        [gone(1.0, ended=ProcessExit(code=0))],
    ],
)
def test_any_other_end_is_a_crash_at_once_with_a_container_as_without(looks: list[Evidence]) -> None:
    assert verdict_of(*looks) is Verdict.CRASHED
