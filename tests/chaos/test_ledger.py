"""The ledger of the soak: each line can fail."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chaos import ledger, ledger_config, ledger_processes
from chaos.__main__ import CHECKS
from chaos.facts import (
    Attempt,
    Blow,
    Broken,
    End,
    Facts,
    Heal,
    Look,
    Request,
    Said,
    Task,
    Usage,
    Window,
)
from chaos.keys import BOT_NAME
from chaos.ledger import Line
from chaos.schedule import Act, Fault, Part

WEB = Blow(Fault(10, Act.KILL, Part.WEB), Window(110, 112))
HALF = Blow(Fault(20, Act.HALF_CONFIG, then_kill=True), Window(120, 130))
TASK = Task("task-1", "buddy.gateway.start", "Completed", is_final=True, attempts=1, may_repeat=True)
DETECTED = Heal("e-1", "i-1", "detected", 121, None)
REPAIRED = Heal("e-2", "i-1", "repair", 124, "rollback")
RECOVERED = Heal("e-3", "i-1", "recovered", 135, None)
PARTS = ("web", "worker-fast", "watchdog", "supervisor")


def request(end: End = End.ANSWERED, *, at: float = 105, said: str = "200") -> Request:
    return Request("reader", "GET /v1/nodes", at, at + 0.5, end, said)


def usage(
    minute: float, *, part: str = "web", pid: int = 42, handles: int = 20, megabytes: float = 100
) -> Usage:
    return Usage(part, pid, 100 + 60 * minute, handles, megabytes)


def life(
    part: str, *, begin: float = 0, end: float = 5, leak: float = 0, handles: float = 0, pid: int = 7
) -> list[Usage]:
    """Return the looks at a process that leaks so many megabytes and handles a minute; one every 3 s."""
    minutes = [begin + look / 20 for look in range(int((end - begin) * 20))]
    return [
        usage(m, part=part, pid=pid, megabytes=100 + leak * m, handles=20 + int(handles * m)) for m in minutes
    ]


@pytest.fixture
def facts() -> Facts:
    """A run in which all went well."""
    return Facts(
        blows=[WEB, HALF],
        planned=2,
        requests=[request(), request(End.CUT, at=111, said="cut"), request(said="503 broker_unavailable")],
        attempts=[Attempt(BOT_NAME, "v1", 103, 104, Said.ACKNOWLEDGED)],
        looks=[Look(370, {BOT_NAME: "v1"}), Look(390, {BOT_NAME: "v1"})],
        accepted={"task-1"},
        tasks=[TASK],
        journal=[DETECTED, REPAIRED, RECOVERED],
        rows=[DETECTED, REPAIRED, RECOVERED],
        config_looks=1000,
        config_broken=[Broken(120.1, 128)],
        config_contents=50,
        config_judged=40,
        corruptions=[Window(120, 129)],
        gateways_at_once=1,
        usage=[look for part in PARTS for look in life(part, pid=42)],
        plateau=Window(100, 115),
        calm=Window(380, 390),
        works_again={"reader": None},
    )


def test_a_run_in_which_all_went_well_passes_every_line(facts: Facts) -> None:
    lines = [check(facts) for check in CHECKS]

    assert [line.troubles for line in lines if not line.passed] == []


def test_a_run_that_saw_nothing_has_proved_nothing() -> None:
    lines = [check(Facts()) for check in CHECKS]

    assert {line.promise for line in lines if line.passed} == {
        "no refused change was made", "what takes a change back is on record", "all came to rest in time",
        "none was left after the stop",
    }  # fmt: skip


Spoil = Callable[[Facts], object]


@pytest.mark.parametrize(
    ("check", "spoil", "trouble"),
    [
        (ledger.faults, lambda f: f.blows.pop(), "1 of 2 faults were not made"),
        (ledger.faults, lambda f: f.blows.append(replace(f.blows.pop(), problem="not back")), "not back"),
        (ledger.tasks_ended, lambda f: f.accepted.add("task-2"), "task-2 is lost"),
        (
            ledger.tasks_ended,
            lambda f: f.tasks.append(replace(TASK, id="task-3", status="Running", is_final=False)),
            "task-3 (buddy.gateway.start) is Running",
        ),
        (
            ledger.tasks_failed_properly,
            lambda f: f.tasks.append(replace(TASK, status="Failed", error="internal_error")),
            "buddy.gateway.start: internal_error",
        ),
        (ledger.tasks_ran_once, lambda f: f.tasks.append(replace(TASK, attempts=3)), "ran 3 times"),
        (
            ledger.tasks_ran_once,
            lambda f: f.tasks.append(replace(TASK, attempts=2, may_repeat=False)),
            "ran 2 times",
        ),
        (ledger.heals_recorded, lambda f: f.rows.pop(), "e-3 is only in a file"),
        (ledger.heals_recorded, lambda f: f.journal.pop(), "e-3 is only in the database"),
        (ledger.heals_recorded, lambda f: f.rows.append(RECOVERED), "e-3 is 2 times in the database"),
        (ledger.heals_recorded, lambda f: f.journal.append(RECOVERED), "e-3 is 2 times in the files"),
        (ledger.incidents_ended, lambda f: f.rows.pop(), "i-1 has ended 0 times"),
        (ledger.incidents_ended, lambda f: f.rows.pop(0), "i-1 began 0 times"),
        (ledger_config.config_whole, lambda f: f.corruptions.clear(), "not whole for 7.9 s"),
        (
            ledger_config.config_whole,
            lambda f: f.config_broken.append(Broken(128, 140, "without the gateway's token")),
            "without the gateway's token for 12.0 s",
        ),
        (ledger_config.config_valid, lambda f: f.config_refused.append("exit 1: no"), "exit 1: no"),
        (ledger.one_gateway, lambda f: setattr(f, "gateways_at_once", 2), "2 ran at the same time"),
        (
            ledger.requests_proper,
            lambda f: f.requests.append(request(End.IMPROPER, said="improper: 500 internal")),
            "500 internal",
        ),
        (ledger.requests_in_time, lambda f: f.requests.append(request(End.HUNG)), "GET /v1/nodes"),
        (ledger.requests_cut, lambda f: f.requests.append(request(End.CUT, said="cut")), "cut"),
        (ledger.settled, lambda f: f.unsettled.append("a task has not ended"), "a task has not ended"),
        (ledger.works_again, lambda f: f.works_again.update(reader="503"), "reader: 503"),
        (ledger_processes.no_strangers, lambda f: f.strangers.add("77 node"), "77 node"),
        (ledger_processes.none_left, lambda f: f.left.append("77 node"), "77 node"),
        (
            ledger_processes.handles_flat,
            lambda f: f.usage.append(usage(4.75, part="worker", handles=20)),
            "worker was not seen at the beginning",
        ),
        (
            ledger_processes.handles_flat,
            lambda f: f.usage.__setitem__(slice(0, 100), [usage(0.1, handles=5), usage(4.75, handles=20)]),
            "and 20 in the end",
        ),
    ],
)  # fmt: skip
def test_a_broken_promise_is_told(
    facts: Facts, check: Callable[[Facts], Line], spoil: Spoil, trouble: str
) -> None:
    spoil(facts)

    line = check(facts)

    assert not line.passed
    assert any(trouble in told for told in line.troubles), line.troubles


def test_a_broken_connection_is_excused_only_beside_a_fault_of_the_web_process(facts: Facts) -> None:
    facts.blows[0] = Blow(Fault(10, Act.KILL, Part.WORKER_FAST), Window(110, 112))

    assert not ledger.requests_cut(facts).passed


def test_contents_that_were_not_judged_are_counted(facts: Facts) -> None:
    assert "50 different contents, of which 40" in ledger_config.config_valid(facts).detail


@pytest.mark.parametrize(
    ("looks", "trouble"),
    [
        (life("web", leak=3.5), "web (pid 7) grew by"),  # until it is killed, and quicker than a day's 5 GB
        (life("supervisor", end=10, leak=1.8), "supervisor (pid 7) grew by 8.1 MB in 4.5 minutes"),
        (life("worker-slow", begin=3, leak=10, end=5.2), "worker-slow (pid 7) grew by"),
    ],
)
def test_memory_that_grows_in_a_warm_process_is_told(facts: Facts, looks: list[Usage], trouble: str) -> None:
    facts.usage += looks

    line = ledger_processes.memory_flat(facts)

    assert any(trouble in told for told in line.troubles), line


def test_handles_that_grow_in_a_warm_process_are_told(facts: Facts) -> None:
    facts.usage += life("worker-fast", handles=20)

    (trouble,) = ledger_processes.handles_flat_in_a_life(facts).troubles

    assert "worker-fast (pid 7) had 40 more after 2.0 minutes" in trouble


def test_what_a_fresh_process_warms_up_is_no_growth(facts: Facts) -> None:
    facts.usage += [usage(m / 20, pid=8, megabytes=100 + 40 * min(m / 20, 1)) for m in range(60)]

    line = ledger_processes.memory_flat(facts)

    assert line.passed, line
    assert "web +0.0 in 1.0 min" in line.detail


def test_memory_of_a_process_that_is_young_or_not_ours_is_not_judged_and_that_is_said(facts: Facts) -> None:
    facts.usage += life("gateway", leak=50)
    facts.usage += life("worker-slow", leak=50, end=1.5)

    line = ledger_processes.memory_flat(facts)

    assert line.passed
    assert line.detail.endswith("not judged, for no process of it lived long enough: worker-slow")


@pytest.mark.parametrize(("seconds", "passed"), [(600.0, False), (180.0, True)])
def test_a_run_of_the_default_length_judges_each_kind_of_part(
    facts: Facts, seconds: float, *, passed: bool
) -> None:
    facts.seconds = seconds
    facts.usage = [look for look in facts.usage if look.part != "worker-fast"]

    for check in (ledger_processes.memory_flat, ledger_processes.handles_flat_in_a_life):
        line = check(facts)
        assert line.passed is passed
        assert passed or "no worker lived long enough to be judged" in line.troubles


def test_in_a_run_of_the_default_length_one_process_of_a_kind_is_enough(facts: Facts) -> None:
    facts.seconds = 600.0
    facts.usage += life("worker-slow", end=1.5)

    assert ledger_processes.memory_flat(facts).passed


def test_the_table_has_a_row_for_each_line_and_the_first_troubles_of_it() -> None:
    troubles = tuple(f"trouble|{number}" for number in range(7))

    text = ledger.render("title", [Line("kept", "3 things"), Line("broken", "", troubles)])

    assert "| pass | kept | 3 things |" in text
    assert "| FAIL | broken |" in text
    assert "| | | trouble/4 |" in text
    assert "trouble/5" not in text
    assert "… and 2 more" in text
