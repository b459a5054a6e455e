"""What Buddy's repairs took back of `openclaw.json`: as its backups and an onlooker have it. Pure.

Each such repair keeps what it replaces as a backup first. That it has happened is judged by what the file
was seen to hold after that, and not by what the repair says of itself: one whose watchdog was killed at it
says nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from buddy_common.adapters.config_files import parse_config
from buddy_common.errors import GatewayConfigError
from buddy_common.schemas.backups import BackupReason
from chaos.facts import Blow, Heal, Look, Seen, Taken
from chaos.keys import config_values
from chaos.schedule import Act, Part

ROLLBACK, QUARANTINE = "rollback", "quarantine"
_AFTER_SECONDS = 20.0  # an onlooker on a busy machine may come late to what was written next
_EARLY_SECONDS = 0.2
_REPAIR_SECONDS = 960.0  # what the watchdog gives one, and what it takes to tell


@dataclass(frozen=True)
class Kept:
    """A backup: when and why it was made, and the root file in it."""

    at: float
    reason: BackupReason
    content: bytes


def taken_back(
    backups: Iterable[Kept],
    seen: Sequence[Seen],
    rows: Sequence[Heal],
    blows: Sequence[Blow],
    keys: Sequence[str],
) -> list[Taken]:
    """Return the repairs of the config in order, with what each key was after them."""
    ordered = sorted(backups, key=lambda kept: kept.at)
    before = [kept for kept in ordered if kept.reason is BackupReason.BEFORE_REPAIR]
    good = [kept for kept in ordered if kept.reason is BackupReason.KNOWN_GOOD]
    found = []
    for number, kept in enumerate(before):
        until = before[number + 1].at if number + 1 < len(before) else kept.at + _REPAIR_SECONDS
        made = _made(kept, good, seen)
        if made is not None:
            kind, content = made
            problem = _missing_record(kept.at, until, rows, blows)
            problem = f"a {kind} has {problem}" if problem else None
            found.append(Taken(kept.at, kind, config_values(content, keys), problem))
    return found


def looks_before(taken: Iterable[Taken], good: Sequence[Seen], keys: Sequence[str]) -> list[Look]:
    """Return what the config held last before each repair: what it takes back cannot be looked at later.

    `good`: what it was seen to hold, without what the schedule had broken.
    """
    found = []
    for repair in taken:
        earlier = [look for look in good if look.at <= repair.at]
        if earlier:
            values = config_values(earlier[-1].content, keys)
            found.append(Look(earlier[-1].at, values, is_in_the_midst=True))
    return found


def _made(before: Kept, good: Sequence[Kept], seen: Sequence[Seen]) -> tuple[str, bytes] | None:
    """Return what kind of repair it was and what the file held after it; None: nothing of that was seen."""
    known = [kept.content for kept in good if kept.at <= before.at]
    for look in seen:
        if not before.at - _EARLY_SECONDS <= look.at <= before.at + _AFTER_SECONDS:
            continue
        if look.content == before.content:
            continue
        if known and look.content == known[-1]:
            return ROLLBACK, look.content
        if _is_less(look.content, before.content):
            return QUARANTINE, look.content
    return None


def _missing_record(began: float, until: float, rows: Sequence[Heal], blows: Sequence[Blow]) -> str | None:
    """Return what is wrong where no event tells of a repair, unless its watchdog was killed at it.

    The kind is not compared: what is left after a quarantine may be the known-good config to the byte.
    """
    if any(row.repair in (ROLLBACK, QUARANTINE) and began <= row.at <= until for row in rows):
        return None
    ended = min(until, began + _REPAIR_SECONDS)
    for blow in blows:
        is_end = (blow.fault.part, blow.fault.act) == (Part.WATCHDOG, Act.KILL)
        if is_end and began <= blow.window.ended and blow.window.began <= ended:
            return None
    return "no event"


def _is_less(after: bytes, before: bytes) -> bool:
    """Whether a config is another one with entries taken out, and nothing else changed."""
    try:
        left, whole = parse_config(after), parse_config(before)
    except GatewayConfigError:
        return False
    return left != whole and _is_part(left, whole)


def _is_part(left: Any, whole: Any) -> bool:
    if isinstance(left, Mapping) and isinstance(whole, Mapping):
        return all(key in whole and _is_part(value, whole[key]) for key, value in left.items())
    return bool(left == whole)
