"""When a config that OpenClaw takes may be blamed for a crash, and when it may not."""

from dataclasses import replace

import pytest

from buddy_common.schemas.processes import ProcessExit
from buddy_watchdog.evidence import ConfigLook, Evidence
from buddy_watchdog.memory import Memory, remember, with_the_past
from buddy_watchdog.starts import FAILED_STARTS, Starts, may_blame_config
from watchdog.looks import GATEWAY, READY, STARTING, alive, gone

BROKE = ProcessExit(code=1)
OLD, NEW = ConfigLook("old"), ConfigLook("new")


def blames(*looks: Evidence, memory: Memory | None = None) -> bool:
    """Whether the last of these looks blames the config."""
    memory = memory or Memory()
    for evidence in looks:
        memory = remember(memory, evidence)
    return may_blame_config(with_the_past(looks[-1], memory))


def start(
    number: int, config: ConfigLook, ended: ProcessExit = BROKE, *, ready: bool = False
) -> list[Evidence]:
    """Return looks at a start and at its end."""
    at = number * 30.0
    process = replace(GATEWAY, pid=5000 + number)
    up = alive(at, READY if ready else STARTING, process=process, config=config)
    return [up, gone(at + 9, ended=ended, config=config, seconds_since_exit=0.5)]


GOOD = start(0, OLD, ready=True)


def starts(config: ConfigLook, ended: ProcessExit = BROKE, *, ready: bool = False) -> list[Evidence]:
    return [
        look for number in range(1, FAILED_STARTS + 1) for look in start(number, config, ended, ready=ready)
    ]


def test_a_changed_config_on_which_no_start_gets_ready_is_blamed() -> None:
    assert blames(*GOOD, *starts(NEW))
    assert blames(*GOOD, *starts(NEW, ProcessExit(signal="SIGSEGV")))
    assert not blames(*GOOD, *start(1, NEW))


@pytest.mark.parametrize(
    "ended",
    [
        ProcessExit(signal="SIGKILL"),
        ProcessExit(signal="SIGTERM"),
        ProcessExit(code=143),
        ProcessExit(code=0),
        ProcessExit(),
    ],
)
def test_a_valid_change_is_not_blamed_for_what_somebody_does_to_the_gateway(ended: ProcessExit) -> None:
    assert not blames(*GOOD, *starts(NEW, ended))
    assert not blames(*GOOD, *starts(NEW), *start(9, NEW, ended))


def test_a_config_on_which_a_start_was_ready_is_not_blamed_for_later_crashes() -> None:
    assert not blames(*GOOD, *starts(NEW, ready=True))
    assert not blames(*start(0, NEW, ready=True), *starts(NEW))


def test_that_a_config_is_proven_outlives_the_watchdog() -> None:
    assert not blames(*starts(OLD), memory=Memory(starts=Starts(proven="old")))


def test_what_failed_on_another_config_is_not_charged_to_this_one() -> None:
    assert not blames(*GOOD, *starts(OLD), *start(9, NEW))


def test_starts_that_come_and_go_between_two_looks_count() -> None:
    ends = [gone(40.0 + at, ended=BROKE, config=NEW, seconds_since_exit=0.1) for at in range(FAILED_STARTS)]

    assert blames(*GOOD, *ends)


def test_an_end_that_is_on_record_late_counts_once() -> None:
    looks = start(1, NEW)
    late = [replace(looks[-1], at=looks[-1].at + 1, seconds_since_exit=1.5)]
    early = replace(looks[-1], exit=None, seconds_since_exit=500.0)

    assert not blames(*GOOD, looks[0], early, *late)
    assert blames(*GOOD, looks[0], early, *late, *start(2, NEW))


def test_one_end_that_is_looked_at_again_and_again_is_one() -> None:
    looks = [gone(40.0 + at, ended=BROKE, config=NEW, seconds_since_exit=0.5 + at) for at in range(9)]

    assert not blames(*GOOD, *looks)


def test_a_clock_that_was_set_back_makes_no_end_of_none() -> None:
    looks = [gone(40.0 + at, ended=BROKE, config=NEW, seconds_since_exit=0.0) for at in range(9)]

    assert not blames(*GOOD, *looks)
