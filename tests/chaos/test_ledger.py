"""The ledger of the soak: each line can fail."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chaos import ledger, ledger_processes
from chaos.facts import Attempt, Blow, End, Facts, Heal, Request, Said, Task, Usage, Window
from chaos.ledger import Line
from chaos.schedule import Act, Fault, Part

KEY = f"{ledger.CONFIG}name of bot_1"
ROW = "database: quick command soak-1"
WEB = Blow(Fault(10, Act.KILL, Part.WEB), Window(110, 112))
HALF = Blow(Fault(20, Act.HALF_CONFIG, then_kill=True), Window(120, 130))
TASK = Task("task-1", "buddy.gateway.start", "Completed", is_final=True, attempts=1, may_repeat=True)
DETECTED = Heal("e-1", "i-1", "detected", 121, None)
REPAIRED = Heal("e-2", "i-1", "repair", 124, "rollback")
RECOVERED = Heal("e-3", "i-1", "recovered", 135, None)
CHECKS = (*ledger.CHECKS, *ledger_processes.CHECKS)


def attempt(value: str, ended: float, said: Said = Said.ACKNOWLEDGED, *, key: str = KEY) -> Attempt:
    return Attempt(key, value, ended - 1, ended, said)


def request(end: End = End.ANSWERED, *, at: float = 105, said: str = "200") -> Request:
    return Request("reader", "GET /v1/nodes", at, at + 0.5, end, said)


def usage(minute: float, *, part: str = "web", handles: int = 20, megabytes: float = 100) -> Usage:
    return Usage(part, 42, 100 + 60 * minute, handles, megabytes)


@pytest.fixture
def facts() -> Facts:
    """A run in which all went well."""
    return Facts(
        blows=[WEB, HALF],
        planned=2,
        requests=[request(), request(End.CUT, at=111, said="cut"), request(said="503 broker_unavailable")],
        attempts=[attempt("v1", 104), attempt("there", 105, key=ROW)],
        finals={KEY: "v1", ROW: "there"},
        accepted={"task-1"},
        tasks=[TASK],
        journal=[DETECTED, REPAIRED, RECOVERED],
        rows=[DETECTED, REPAIRED, RECOVERED],
        config_looks=1000,
        config_broken=[Window(120.1, 128)],
        corruptions=[Window(120, 129)],
        gateways_at_once=1,
        usage=[usage(minute / 4) for minute in range(20)],
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
        "no refused change was made", "all came to rest in time", "none was left after the stop"
    }  # fmt: skip


Spoil = Callable[[Facts], object]


@pytest.mark.parametrize(
    ("check", "spoil", "trouble"),
    [
        (ledger.faults, lambda f: f.blows.pop(), "1 of 2 faults were not made"),
        (ledger.faults, lambda f: f.blows.append(replace(f.blows.pop(), problem="not back")), "not back"),
        (ledger.changes_kept, lambda f: f.finals.update({ROW: "gone"}), "acknowledged was 'there'"),
        (ledger.changes_kept, lambda f: f.finals.pop(ROW), "is None"),
        (
            ledger.refusals_kept,
            lambda f: f.attempts.append(attempt("v1", 106, Said.REFUSED)) or f.attempts.pop(0),
            "which was refused",
        ),
        (ledger.tasks_ended, lambda f: f.accepted.add("task-2"), "task-2 is lost"),
        (
            ledger.tasks_ended,
            lambda f: f.tasks.append(replace(TASK, id="task-3", status="Running", is_final=False)),
            "task-3 (buddy.gateway.start) is Running",
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
        (ledger.config_whole, lambda f: f.corruptions.clear(), "not whole for 7.9 s"),
        (ledger.config_whole, lambda f: f.config_broken.append(Window(128, 140)), "not whole for 12.0 s"),
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
            lambda f: f.usage.__setitem__(slice(0, 5), [usage(0.1, handles=5)]),
            "and 20 in the end",
        ),
        (
            ledger_processes.memory_flat,
            lambda f: f.usage.extend(usage(m / 4, part="leaky", megabytes=m * 5) for m in range(20)),
            "leaky (pid 42) grew by 20.0 MB a minute",
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


def test_a_rollback_on_record_excuses_what_was_acknowledged_before_it_in_the_config(facts: Facts) -> None:
    facts.finals[KEY] = "v0"

    line = ledger.changes_kept(facts)

    assert line.passed
    assert "1 keys rolled back" in line.detail


def test_a_rollback_excuses_neither_a_later_change_nor_one_in_the_database(facts: Facts) -> None:
    facts.attempts.append(attempt("v2", 140))
    facts.finals[ROW] = "gone"

    assert len(ledger.changes_kept(facts).troubles) == 2


def test_a_later_change_of_which_nobody_knows_may_stand(facts: Facts) -> None:
    facts.attempts.append(attempt("v2", 140, Said.UNKNOWN))
    facts.finals[KEY] = "v2"

    assert ledger.changes_kept(facts).passed


def test_a_broken_connection_is_excused_only_beside_a_fault_of_the_web_process(facts: Facts) -> None:
    facts.blows[0] = Blow(Fault(10, Act.KILL, Part.WORKER_FAST), Window(110, 112))

    assert not ledger.requests_cut(facts).passed


def test_memory_of_a_process_that_is_young_or_not_ours_is_not_judged(facts: Facts) -> None:
    facts.usage += [usage(m / 4, part="gateway", megabytes=m * 50) for m in range(20)]
    facts.usage += [usage(m / 4, part="young", megabytes=m * 50) for m in range(8)]

    assert ledger_processes.memory_flat(facts).passed


def test_the_table_has_a_row_for_each_line_and_the_first_troubles_of_it() -> None:
    troubles = tuple(f"trouble|{number}" for number in range(7))

    text = ledger.render("title", [Line("kept", "3 things"), Line("broken", "", troubles)])

    assert "| pass | kept | 3 things |" in text
    assert "| FAIL | broken |" in text
    assert "| | | trouble/4 |" in text
    assert "trouble/5" not in text
    assert "… and 2 more" in text
