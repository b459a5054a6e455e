"""The lines of the ledger about processes: what they hold, and that none is left. Pure."""

import statistics

from chaos.facts import Facts, Usage, Window
from chaos.ledger import Line, line

# a connection pool may be at its widest in the end, and was not at the beginning
MORE_HANDLES = 12
# caches still fill in the first minute of a process; a slope is judged of what comes after
WARM_SECONDS = 60.0
JUDGED_SECONDS = 90.0
MEGABYTES_PER_MINUTE = 3.0
OF_OPENCLAW = "gateway"


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


def memory_flat(facts: Facts) -> Line:
    """No process of Buddy that lived long enough to tell grew steadily."""
    troubles, shown = [], []
    for (part, pid), usages in sorted(_lives(facts).items()):
        slope = slope_of(usages)
        shown.append(f"{part} {slope:+.1f}")
        if slope > MEGABYTES_PER_MINUTE:
            troubles.append(f"{part} (pid {pid}) grew by {slope:.1f} MB a minute")
    promise = f"memory is flat (at most {MEGABYTES_PER_MINUTE:.0f} MB a minute)"
    return line(promise, f"MB a minute: {', '.join(shown)}", troubles, seen=len(shown))


def slope_of(usages: list[Usage]) -> float:
    """Return by how many MB a minute the resident memory grows."""
    times = [usage.at / 60 for usage in usages]
    return statistics.linear_regression(times, [usage.megabytes for usage in usages]).slope


CHECKS = (no_strangers, none_left, handles_flat, memory_flat)


def _of(facts: Facts, part: str, window: Window) -> list[Usage]:
    return [u for u in facts.usage if u.part == part and window.began <= u.at <= window.ended]


def _lives(facts: Facts) -> dict[tuple[str, int], list[Usage]]:
    """Return the looks at each process that is past its first minute and long enough there."""
    lives: dict[tuple[str, int], list[Usage]] = {}
    for usage in facts.usage:
        if usage.part != OF_OPENCLAW:
            lives.setdefault((usage.part, usage.pid), []).append(usage)
    warm = {
        key: [usage for usage in usages if usage.at - usages[0].at >= WARM_SECONDS]
        for key, usages in lives.items()
    }
    return {
        key: usages
        for key, usages in warm.items()
        if usages and usages[-1].at - usages[0].at >= JUDGED_SECONDS
    }
