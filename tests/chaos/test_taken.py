"""What a repair of `openclaw.json` took back, as backups and an onlooker tell it."""

import json
from typing import Any

import pytest

from buddy_common.schemas.backups import BackupReason
from chaos.facts import Blow, Heal, Look, Seen, Taken, Window
from chaos.keys import BOT_NAME, GONE, MODEL, PROVIDER, THERE
from chaos.schedule import Act, Fault, Part
from chaos.taken import Kept, looks_before, taken_back

ONE, TWO = f"{MODEL}soak-1", f"{MODEL}soak-2"
KEYS = (ONE, TWO, BOT_NAME, "database: quick command soak-1")
GOOD, REPAIR = BackupReason.KNOWN_GOOD, BackupReason.BEFORE_REPAIR
EVENT = Heal("e-1", "i-1", "repair", 240, "rollback")


def config(*models: str, name: str = "v1", **more: Any) -> bytes:
    made = {
        "agents": {"entries": {"bot_1": {"identity": {"name": name}}}},
        "models": {"providers": {PROVIDER: {"models": [{"id": model} for model in models]}}},
        **more,
    }
    return json.dumps(made).encode()


NOW = config("soak-1", "soak-2", name="v2")
KNOWN = config("soak-1")
BACKUPS = [Kept(100, GOOD, config()), Kept(150, GOOD, KNOWN), Kept(200, REPAIR, NOW)]


def test_a_rollback_is_told_with_what_the_known_good_config_held() -> None:
    seen = [Seen(180, NOW), Seen(200.2, KNOWN), Seen(230, config("soak-9"))]

    found = taken_back(BACKUPS, seen, [EVENT], [], KEYS)

    assert found == [Taken(200, "rollback", {ONE: THERE, TWO: GONE, BOT_NAME: "v1"})]


def test_a_rollback_of_half_a_file_is_one_too() -> None:
    half = [*BACKUPS[:2], Kept(200, REPAIR, NOW[: len(NOW) // 2])]

    (taken,) = taken_back(half, [Seen(200.2, KNOWN)], [EVENT], [], KEYS)

    assert (taken.kind, taken.values[TWO]) == ("rollback", GONE)


def test_a_quarantine_took_what_is_missing_after_it() -> None:
    before = config("soak-1", "soak-2", soak={"nonsense": 1})
    after = config("soak-1", "soak-2")
    backups = [Kept(150, GOOD, KNOWN), Kept(200, REPAIR, before)]

    (taken,) = taken_back(backups, [Seen(200.2, after)], [EVENT], [], KEYS)

    assert (taken.kind, taken.values[TWO]) == ("quarantine", THERE)


@pytest.mark.parametrize(
    "seen",
    [
        [],
        [Seen(180, KNOWN), Seen(190, NOW)],  # that was before
        [Seen(200.2, config("soak-3", name="v9"))],  # neither what was good nor less than before
        [Seen(200.2, config())],  # an older known-good config is not what a rollback goes back to
        [Seen(300, KNOWN)],  # somebody else's, a good while later
    ],
)
def test_a_repair_that_was_not_seen_took_nothing(seen: list[Seen]) -> None:
    assert taken_back(BACKUPS, seen, [EVENT], [], KEYS) == []


def test_a_repair_without_an_event_is_none_on_record() -> None:
    late = Heal("e-2", "i-2", "repair", 199, "rollback")

    (taken,) = taken_back(BACKUPS, [Seen(200.2, KNOWN)], [late], [], KEYS)

    assert taken.problem == "a rollback has no event"


def test_one_event_is_not_that_of_two_repairs() -> None:
    backups = [*BACKUPS, Kept(220, REPAIR, NOW)]
    seen = [Seen(200.2, KNOWN), Seen(219, NOW), Seen(220.2, KNOWN)]

    first, second = taken_back(backups, seen, [EVENT], [], KEYS)

    assert (first.problem, second.problem) == ("a rollback has no event", None)


@pytest.mark.parametrize(
    ("part", "at", "problem"),
    [
        (Part.WATCHDOG, 205, None),
        (Part.WATCHDOG, 150, "a rollback has no event"),
        (Part.WEB, 205, "a rollback has no event"),
    ],
)
def test_a_watchdog_that_is_killed_at_a_repair_tells_of_none(
    part: Part, at: float, problem: str | None
) -> None:
    blow = Blow(Fault(5, Act.KILL, part), Window(at, at + 2))

    (taken,) = taken_back(BACKUPS, [Seen(200.2, KNOWN)], [], [blow], KEYS)

    assert taken.problem == problem


def test_what_stood_before_a_repair_is_looked_at() -> None:
    good = [Seen(150, KNOWN), Seen(180, NOW), Seen(200.2, KNOWN)]

    looks = looks_before([Taken(200, "rollback", {}), Taken(100, "rollback", {})], good, KEYS)

    assert looks == [Look(180, {ONE: THERE, TWO: THERE, BOT_NAME: "v2"}, is_in_the_midst=True)]
