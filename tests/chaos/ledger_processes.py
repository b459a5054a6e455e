"""The lines of the ledger about processes: what they hold, and that none is left. Pure."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from chaos.facts import Facts, Usage, Window
from chaos.ledger import Line, line

# a connection pool may be at its widest in the end, and was not at the beginning
MORE_HANDLES = 12
# a connection to SQLite has three, and a pool of five widens as the load happens to come together
MORE_IN_A_LIFE = 24
# caches fill in the first minute of a process under load; what it held after that is where it grows from
WARM_SECONDS = 60.0
# what is left of its life is cut into quarters; each has some looks, one every two seconds
JUDGED_SECONDS = 60.0
JUDGED_LOOKS = 12
# from the second quarter to the last, as for `make soak`; what Python keeps comes and goes by 2 or 3
GROWTH_MEGABYTES = 8.0
# in a short life less has to do: a leak of this speed, and what is no leak
GROWTH_PER_MINUTE = 3.0
NOISE_MEGABYTES = 4.0
OF_OPENCLAW = "gateway"
# what Buddy itself runs, by kind; the others are programs that come with it
KINDS = ("web", "worker", "watchdog", "supervisor")
LONG_ENOUGH_SECONDS = (
    600.0  # the default length: in less, the schedule may leave nobody alone for long enough
)


@dataclass(frozen=True)
class Growth:
    """By how much something grew in the life of one process, and how far the two looks lie apart."""

    part: str
    pid: int
    amount: float
    minutes: float


def no_strangers(facts: Facts) -> Line:
    """Every process descended from one that is known."""
    pids = len({(usage.part, usage.pid) for usage in facts.usage})
    return line("every process was known", f"{pids} processes", sorted(facts.strangers), seen=pids)


def none_left(facts: Facts) -> Line:
    """None outlived the stop."""
    return Line("none was left after the stop", "of Buddy and of OpenClaw", tuple(facts.left))


def handles_flat(facts: Facts) -> Line:
    """No part of Buddy held more files and sockets in the end than at the beginning, but for a few."""
    troubles, shown = [], []
    for part in sorted({usage.part for usage in facts.usage} - {OF_OPENCLAW}):
        before = [usage.handles for usage in _of(facts, part, facts.plateau)]
        after = [usage.handles for usage in _of(facts, part, facts.calm)]
        if not before or not after:
            troubles.append(f"{part} was not seen at the beginning and in the end")
            continue
        first, last = max(before), min(after)
        shown.append(f"{part} {first} → {last}")
        if last > first + MORE_HANDLES:
            troubles.append(f"{part} had {first} at most with the first clients, and {last} in the end")
    promise = f"file handles are flat (at most {MORE_HANDLES} more)"
    return line(promise, ", ".join(shown), troubles, seen=len(shown))


def handles_flat_in_a_life(facts: Facts) -> Line:
    """No process of Buddy held ever more files and sockets."""
    growths = growths_of(facts, lambda usage: usage.handles)
    troubles = [
        f"{growth.part} (pid {growth.pid}) had {growth.amount:.0f} more after {growth.minutes:.1f} minutes"
        for growth in growths
        if growth.amount > MORE_IN_A_LIFE
    ]
    promise = f"file handles are flat in a warm process (at most {MORE_IN_A_LIFE} more)"
    return line(
        promise, _told(facts, growths), [*troubles, *_unjudged_kinds(facts, growths)], seen=len(growths)
    )


def memory_flat(facts: Facts) -> Line:
    """No process of Buddy that lived long enough to tell grew steadily."""
    growths = growths_of(facts, lambda usage: usage.megabytes)
    troubles = [
        f"{growth.part} (pid {growth.pid}) grew by {growth.amount:.1f} MB in {growth.minutes:.1f} minutes"
        for growth in growths
        if growth.amount > allowed_megabytes(growth)
    ]
    promise = (
        f"memory is flat in a warm process (at most {GROWTH_MEGABYTES:.0f} MB more, and"
        f" {GROWTH_PER_MINUTE:.0f} MB a minute where that is over {NOISE_MEGABYTES:.0f} MB)"
    )
    detail = f"MB: {_told(facts, growths)}"
    return line(promise, detail, [*troubles, *_unjudged_kinds(facts, growths)], seen=len(growths))


def allowed_megabytes(growth: Growth) -> float:
    """Return by how much a process may grow in that time; a cap for what is Buddy's own."""
    by_time = max(NOISE_MEGABYTES, GROWTH_PER_MINUTE * growth.minutes)
    return min(GROWTH_MEGABYTES, by_time) if _kind(growth.part) in KINDS else by_time


def growths_of(facts: Facts, amount: Callable[[Usage], float]) -> list[Growth]:
    """Return the growth from the second quarter to the last of each life that is long enough to tell."""
    found = []
    for (part, pid), usages in sorted(_warm_lives(facts).items()):
        quarter = (usages[-1].at - usages[0].at) / 4
        starts = [usages[0].at + quarter, usages[-1].at - quarter]
        second = [u for u in usages if starts[0] <= u.at <= starts[0] + quarter]
        last = [u for u in usages if u.at >= starts[1]]
        if second and last:
            middle, end = (statistics.median(amount(u) for u in some) for some in (second, last))
            found.append(Growth(part, pid, end - middle, 2 * quarter / 60))
    return found


CHECKS = (no_strangers, none_left, handles_flat, handles_flat_in_a_life, memory_flat)


def _of(facts: Facts, part: str, window: Window) -> list[Usage]:
    return [u for u in facts.usage if u.part == part and window.began <= u.at <= window.ended]


def _warm_lives(facts: Facts) -> dict[tuple[str, int], list[Usage]]:
    """Return the looks at each process under load, past its first minute of that, where there are enough."""
    lives: dict[tuple[str, int], list[Usage]] = {}
    for usage in facts.usage:
        if usage.part != OF_OPENCLAW and usage.at >= facts.plateau.began:
            lives.setdefault((usage.part, usage.pid), []).append(usage)
    warm = {
        key: [usage for usage in usages if usage.at - usages[0].at >= WARM_SECONDS]
        for key, usages in lives.items()
    }
    return {
        key: usages
        for key, usages in warm.items()
        if len(usages) >= JUDGED_LOOKS and usages[-1].at - usages[0].at >= JUDGED_SECONDS
    }


def _told(facts: Facts, growths: list[Growth]) -> str:
    """Return all that was judged, and the parts that could not be."""
    shown = ", ".join(f"{g.part} {g.amount:+.1f} in {g.minutes:.1f} min" for g in growths)
    parts = {usage.part for usage in facts.usage} - {OF_OPENCLAW} - {growth.part for growth in growths}
    return (
        f"{shown}; not judged, for no process of it lived long enough: {', '.join(sorted(parts)) or 'none'}"
    )


def _unjudged_kinds(facts: Facts, growths: list[Growth]) -> list[str]:
    """Return what is missing in a run of the default length: a process of each kind that could be judged."""
    if facts.seconds < LONG_ENOUGH_SECONDS:
        return []
    judged = {_kind(growth.part) for growth in growths}
    return [f"no {kind} lived long enough to be judged" for kind in KINDS if kind not in judged]


def _kind(part: str) -> str:
    return "worker" if part.startswith("worker-") else part
