"""What the ledger makes of changes: each that was acknowledged has to be there."""

from dataclasses import replace

import pytest

from chaos import ledger_changes
from chaos.facts import Attempt, Facts, Look, Said, Taken
from chaos.keys import BOT_NAME, FILE, GONE, MODEL, NOTE, ROW, THERE

COUNT = 30
LOST = f"{MODEL}soak-7"


def attempt(key: str, value: str, ended: float, said: Said = Said.ACKNOWLEDGED) -> Attempt:
    return Attempt(key, value, ended - 1, ended, said)


@pytest.fixture
def facts() -> Facts:
    """A run with changes of all kinds, all of which are there."""
    models = [attempt(f"{MODEL}soak-{number}", THERE, 100 + number) for number in range(COUNT)]
    more = [
        attempt(BOT_NAME, "v1", 104),
        attempt(BOT_NAME, "v2", 106),
        attempt(FILE, "v1", 105),
        attempt(f"{NOTE}memory/soak-1.md", "note 1", 105),
        attempt(f"{ROW}soak-1", THERE, 105),
        attempt(f"{ROW}soak-1", GONE, 107),
    ]
    attempts = [*models, *more]
    values: dict[str, str | None] = {one.key: one.value for one in attempts}
    return Facts(attempts=attempts, looks=[Look(300, values), Look(400, dict(values))])


def now_is(facts: Facts, key: str, value: str | None) -> None:
    for look in facts.looks:
        look.values[key] = value


def test_changes_that_are_all_there_pass(facts: Facts) -> None:
    line = ledger_changes.changes_kept(facts)

    assert line.passed, line
    assert f"{len(facts.attempts)} acknowledged, of {COUNT + 4} keys" in line.detail


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (LOST, GONE),
        (f"{ROW}soak-1", THERE),  # deleted, and there again
        (f"{NOTE}memory/soak-1.md", None),
        (BOT_NAME, "v1"),  # the older one
        (FILE, None),
    ],
)
def test_each_lost_change_is_told(facts: Facts, key: str, value: str | None) -> None:
    now_is(facts, key, value)

    (trouble,) = ledger_changes.changes_kept(facts).troubles

    assert trouble.startswith(f"{key} is {value!r} at ")


def test_a_change_that_was_lost_is_told_though_its_key_is_written_again_in_the_calm(facts: Facts) -> None:
    before, after = facts.looks
    before.values[BOT_NAME] = "v1"
    facts.attempts.append(attempt(BOT_NAME, "v3", 350))
    after.values[BOT_NAME] = "v3"

    (trouble,) = ledger_changes.changes_kept(facts).troubles
    assert trouble.startswith(f"{BOT_NAME} is 'v1' at ")
    assert trouble.endswith(" was 'v2'")


def test_a_change_of_the_calm_has_to_be_there_after_it(facts: Facts) -> None:
    facts.attempts.append(attempt(BOT_NAME, "v3", 350))

    (trouble,) = ledger_changes.changes_kept(facts).troubles
    assert trouble.startswith(f"{BOT_NAME} is 'v2' at ")
    assert trouble.endswith(" was 'v3'")


def test_a_run_without_a_look_has_proved_nothing(facts: Facts) -> None:
    facts.looks.clear()

    assert not ledger_changes.changes_kept(facts).passed


def test_a_later_change_of_which_nobody_knows_may_stand(facts: Facts) -> None:
    facts.attempts.append(attempt(BOT_NAME, "v3", 140, Said.UNKNOWN))
    now_is(facts, BOT_NAME, "v3")

    assert ledger_changes.changes_kept(facts).passed


def test_a_rollback_excuses_what_it_took_back(facts: Facts) -> None:
    facts.taken.append(Taken(200, "rollback", {LOST: GONE}))
    now_is(facts, LOST, GONE)

    line = ledger_changes.changes_kept(facts)

    assert line.passed
    assert "1 keys taken back by 1 repairs" in line.detail


@pytest.mark.parametrize(
    "taken",
    [
        Taken(200, "rollback", {LOST: THERE}),  # what it went back to had the change
        Taken(200, "quarantine", {f"{MODEL}soak-8": GONE}),  # it took something else
        Taken(104, "rollback", {LOST: GONE}),  # the change began after it
        Taken(450, "rollback", {LOST: GONE}),  # it came after the look
        Taken(200, "rollback", {LOST: GONE}, problem="a rollback has no event"),
    ],
)
def test_a_repair_excuses_nothing_that_it_did_not_take(facts: Facts, taken: Taken) -> None:
    facts.taken.append(taken)
    now_is(facts, LOST, GONE)

    assert not ledger_changes.changes_kept(facts).passed


def test_a_change_whose_answer_came_late_may_have_been_there_before_the_rollback(facts: Facts) -> None:
    facts.attempts = [replace(one, ended=215) if one.key == LOST else one for one in facts.attempts]
    facts.taken.append(Taken(200, "rollback", {LOST: GONE}))
    now_is(facts, LOST, GONE)

    assert ledger_changes.changes_kept(facts).passed


def test_a_change_that_was_lost_before_a_rollback_is_told_though_that_would_have_taken_it(
    facts: Facts,
) -> None:
    facts.taken.append(Taken(200, "rollback", {LOST: GONE}))
    now_is(facts, LOST, GONE)
    facts.looks.insert(0, Look(190, {LOST: GONE}, is_in_the_midst=True))

    (trouble,) = ledger_changes.changes_kept(facts).troubles

    assert trouble.startswith(f"{LOST} is 'gone' at ")
    assert " was 'there'" in trouble


@pytest.mark.parametrize(
    ("began", "ended", "said"),
    [(150, 195, Said.ACKNOWLEDGED), (150, 195, Said.REFUSED), (102, 103, Said.UNKNOWN)],
)
def test_in_the_midst_of_a_run_what_is_under_way_or_waits_may_stand(
    facts: Facts, began: float, ended: float, said: Said
) -> None:
    facts.attempts.append(Attempt(BOT_NAME, "v3", began, ended, said))
    now_is(facts, BOT_NAME, "v3" if said is Said.ACKNOWLEDGED else "v2")
    facts.looks.insert(0, Look(190, {BOT_NAME: "v3"}, is_in_the_midst=True))

    assert ledger_changes.changes_kept(facts).passed
    assert ledger_changes.refusals_kept(facts).passed


def test_looks_in_the_midst_alone_prove_nothing(facts: Facts) -> None:
    facts.looks = [Look(190, {LOST: THERE}, is_in_the_midst=True)]

    assert not ledger_changes.changes_kept(facts).passed


def test_a_repair_of_the_config_excuses_nothing_in_a_file_or_the_database(facts: Facts) -> None:
    facts.taken.append(Taken(200, "rollback", {FILE: None}))
    now_is(facts, FILE, None)

    assert not ledger_changes.changes_kept(facts).passed


def test_a_repair_that_is_not_on_record_is_told(facts: Facts) -> None:
    facts.taken = [Taken(200, "rollback", {}), Taken(201, "rollback", {}, problem="a rollback has no event")]

    line = ledger_changes.repairs_recorded(facts)

    assert line.troubles == ("a rollback has no event",)
    assert line.detail == "rollback, rollback"


def test_a_refused_change_that_was_made_after_all_is_told(facts: Facts) -> None:
    facts.attempts[0] = replace(facts.attempts[0], said=Said.REFUSED)

    (trouble,) = ledger_changes.refusals_kept(facts).troubles

    assert "which was refused" in trouble


def test_what_a_repair_took_out_may_be_refused_to_be_taken_out_once_more(facts: Facts) -> None:
    facts.attempts.append(attempt(LOST, GONE, 210, Said.REFUSED))
    now_is(facts, LOST, GONE)
    assert not ledger_changes.refusals_kept(facts).passed

    facts.taken.append(Taken(200, "rollback", {LOST: GONE}))

    assert ledger_changes.refusals_kept(facts).passed
    assert ledger_changes.changes_kept(facts).passed
