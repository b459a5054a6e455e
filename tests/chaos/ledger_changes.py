"""The lines of the ledger about changes: what was acknowledged is there, what was refused is not. Pure."""

import time

from chaos.facts import Attempt, Facts, Look, Said
from chaos.keys import CONFIG
from chaos.ledger import SLACK_SECONDS, Line, line


def changes_kept(facts: Facts) -> Line:
    """What was acknowledged is there, unless a repair that is on record took back this very change."""
    troubles: dict[tuple[str, str | None, str], str] = {}  # what was lost, as it was seen first
    excused: set[str] = set()
    for look in facts.looks:
        for key, attempts in _by_key(facts, look).items():
            last = _last_acknowledged(attempts, look)
            if last is None:
                continue
            possible = {last.value, *_unsure(attempts, last, look)}
            final = look.values.get(key)
            if final in possible:
                continue
            if final in _taken_to(facts, last, look):
                excused.add(key)
            else:
                told = (
                    f"{key} is {final!r} at {_clock(look.at)},"
                    f" acknowledged at {_clock(last.ended)} was {last.value!r}"
                )
                troubles.setdefault((key, final, last.value), told)
    acknowledged = [attempt for attempt in facts.attempts if attempt.said is Said.ACKNOWLEDGED]
    detail = (
        f"{len(acknowledged)} acknowledged, of {len({a.key for a in acknowledged})} keys;"
        f" {len(excused)} keys taken back by {len(facts.taken)} repairs"
    )
    seen = len(acknowledged) if any(not look.is_in_the_midst for look in facts.looks) else 0
    return line("every acknowledged change is there", detail, list(troubles.values()), seen=seen)


def refusals_kept(facts: Facts) -> Line:
    """What was refused was not made after all."""
    refused = [attempt for attempt in facts.attempts if attempt.said is Said.REFUSED]
    troubles = {
        f"{attempt.key} is {attempt.value!r}, which was refused": None
        for look in facts.looks
        for attempt in refused
        if attempt.ended <= look.at
        and look.values.get(attempt.key) == attempt.value
        and not _came_otherwise(facts, attempt, look)
    }
    return Line("no refused change was made", f"{len(refused)} refused", tuple(troubles))


def repairs_recorded(facts: Facts) -> Line:
    """Each repair of the config has an event, unless its watchdog was killed at it."""
    troubles = [taken.problem for taken in facts.taken if taken.problem is not None]
    detail = ", ".join(taken.kind for taken in facts.taken) or "none"
    return Line("what takes a change back is on record", detail, tuple(troubles))


CHECKS = (changes_kept, refusals_kept, repairs_recorded)


def _taken_to(facts: Facts, last: Attempt, look: Look) -> set[str | None]:
    """Return what repairs made of the key after the change, or while it was under way."""
    if not last.key.startswith(CONFIG):
        return set()
    return {
        taken.values[last.key]
        for taken in facts.taken
        if taken.problem is None
        and last.key in taken.values
        and last.began - SLACK_SECONDS <= taken.at <= look.at + SLACK_SECONDS
    }


def _came_otherwise(facts: Facts, refused: Attempt, look: Look) -> bool:
    """Whether the value may be there for another reason: an attempt of which nobody knows, a repair."""
    repairs = (taken for taken in facts.taken if taken.at <= look.at + SLACK_SECONDS)
    return any(taken.values.get(refused.key) == refused.value for taken in repairs) or any(
        other.said is not Said.REFUSED and (other.key, other.value) == (refused.key, refused.value)
        for other in facts.attempts
    )


def _by_key(facts: Facts, look: Look) -> dict[str, list[Attempt]]:
    """Return the attempts, begun before the look, of each key that it was at."""
    keys: dict[str, list[Attempt]] = {}
    for attempt in sorted(facts.attempts, key=lambda attempt: attempt.began):
        if attempt.began <= look.at and (attempt.key in look.values or not look.is_in_the_midst):
            keys.setdefault(attempt.key, []).append(attempt)
    return keys


def _last_acknowledged(attempts: list[Attempt], look: Look) -> Attempt | None:
    made = (a for a in reversed(attempts) if a.said is Said.ACKNOWLEDGED and a.ended <= look.at)
    return next(made, None)


def _unsure(attempts: list[Attempt], last: Attempt, look: Look) -> set[str]:
    """Return the values that may stand instead: of changes of which nobody knows, or that are under way.

    In the midst of a run one of which nobody knows may still be waiting for its turn.
    """
    after = 0 if look.is_in_the_midst else attempts.index(last) + 1
    return {a.value for a in attempts[after:] if a.said is Said.UNKNOWN or a.ended > look.at}


def _clock(moment: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(moment))
