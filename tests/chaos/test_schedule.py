"""The schedule of the soak."""

from itertools import pairwise

from chaos.schedule import HEAVY_GAP_SECONDS, LAST_SECONDS, Act, Fault, Part, make_schedule

SEEDS = range(20)


def test_the_same_seed_makes_the_same_schedule_and_another_one_another() -> None:
    first = make_schedule(7, minutes=10, disk=True)

    assert make_schedule(7, minutes=10, disk=True) == first
    assert make_schedule(8, minutes=10, disk=True) != first


def test_in_ten_minutes_each_kind_of_fault_has_its_turn() -> None:
    kinds: set[tuple[Act, Part | None]] = {(Act.KILL, part) for part in Part} | {
        (Act.FREEZE, part) for part in Part
    }
    kinds |= {(act, None) for act in Act if act not in (Act.KILL, Act.FREEZE)}

    for seed in SEEDS:
        assert {(fault.act, fault.part) for fault in make_schedule(seed, minutes=10, disk=True)} == kinds


def test_a_disk_that_must_not_be_filled_is_left_alone() -> None:
    faults = [fault for seed in SEEDS for fault in make_schedule(seed, minutes=10, disk=False)]

    assert Act.FILL_DISK not in [fault.act for fault in faults]
    assert Act.KILL in [fault.act for fault in faults]


def test_faults_come_in_order_and_the_last_one_has_time_to_pass() -> None:
    for seed in SEEDS:
        faults = make_schedule(seed, minutes=3, disk=True)

        assert len(faults) > 5
        assert faults == sorted(faults, key=lambda fault: fault.at)
        assert faults[-1].at <= 180 - LAST_SECONDS


def test_a_gateway_that_starts_anew_is_left_alone_for_a_while() -> None:
    for seed in SEEDS:
        heavy = [fault for fault in make_schedule(seed, minutes=10, disk=True) if fault.is_heavy]

        assert all(
            later.at - earlier.at > earlier.seconds + HEAVY_GAP_SECONDS - 0.001
            for earlier, later in pairwise(heavy)
        )


def test_no_part_is_hit_while_it_is_frozen() -> None:
    for seed in SEEDS:
        for part in Part:
            hits = [fault for fault in make_schedule(seed, minutes=10, disk=True) if fault.part is part]
            assert all(later.at > earlier.at + earlier.seconds for earlier, later in pairwise(hits))


def test_a_run_that_is_too_short_has_no_faults() -> None:
    assert make_schedule(1, minutes=0.2, disk=True) == []


def test_a_fault_says_what_it_is() -> None:
    assert str(Fault(3, Act.FREEZE, Part.WEB, 4.4)) == "freeze web for 4 s"
    assert str(Fault(3, Act.BAD_PLUGIN, then_kill=True)) == (
        "put a bad plugin entry into openclaw.json, then kill the gateway"
    )
