"""How the memory of the gateway grows is told once there are enough looks at one process."""

from buddy_common.schemas.processes import ProcessIdentity
from buddy_watchdog.evidence import Evidence
from buddy_watchdog.growth import EVERY_SECONDS, FEWEST_SIZES, MOST_SIZES
from buddy_watchdog.memory import Memory, remember, with_the_past
from watchdog.looks import GATEWAY, NEXT, READY, alive, gone, snapshot

MEGABYTE = 1024 * 1024


def look(minute: float, *, megabytes: float, process: ProcessIdentity = GATEWAY) -> Evidence:
    seen = snapshot(READY, rss_bytes=int(megabytes * MEGABYTE))
    return alive(minute * EVERY_SECONDS, process=process, snapshot=seen)


def growth(*looks: Evidence) -> float | None:
    memory = Memory()
    for evidence in looks:
        memory = remember(memory, evidence)
    return with_the_past(looks[-1], memory).rss_mb_per_hour


def test_a_leak_is_told_in_megabytes_an_hour() -> None:
    looks = [look(minute, megabytes=400 + minute) for minute in range(FEWEST_SIZES)]

    assert growth(*looks) == 60.0
    assert growth(*looks[:-1]) is None


def test_one_that_stays_as_it_is_does_not_grow() -> None:
    assert growth(*(look(minute, megabytes=400) for minute in range(MOST_SIZES * 2))) == 0.0


def test_a_new_process_begins_anew_and_a_dead_one_keeps_its_figure() -> None:
    looks = [look(minute, megabytes=400 + minute) for minute in range(FEWEST_SIZES)]

    assert growth(*looks, gone(1000.0)) == 60.0
    assert growth(*looks, look(30, megabytes=90, process=NEXT)) is None


def test_looks_in_doubt_do_not_push_the_hour_out() -> None:
    slow = [look(minute, megabytes=400 + minute) for minute in range(FEWEST_SIZES)]
    quick = [look(FEWEST_SIZES + second / 60, megabytes=406) for second in range(50)]

    assert growth(*slow, *quick) is not None
    memory = Memory()
    for evidence in [*slow, *quick]:
        memory = remember(memory, evidence)
    assert len(memory.growth.sizes) == FEWEST_SIZES + 1
