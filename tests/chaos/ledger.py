"""The ledger: one line per promise, whether it was kept, and what that was judged by. Pure."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from buddy_common.errors import BuddyError
from chaos.facts import End, Facts, Heal

SHOWN = 5  # of many troubles
SLACK_SECONDS = 1.0  # between the clocks and looks of different observers
_LAST = {"recovered", "ended"}


@dataclass(frozen=True)
class Line:
    """One promise."""

    promise: str
    detail: str  # what was looked at
    troubles: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether it was kept."""
        return not self.troubles


def line(promise: str, detail: str, troubles: list[str], *, seen: int) -> Line:
    """Return a line; one for which nothing was looked at has not been proved."""
    if seen == 0:
        troubles = [*troubles, "there was nothing to look at"]
    return Line(promise, detail, tuple(troubles))


def faults(facts: Facts) -> Line:
    """Every fault was made, and what it hit came back."""
    troubles = [f"{blow.fault}: {blow.problem}" for blow in facts.blows if blow.problem is not None]
    troubles += facts.unmade
    made = len(facts.blows)
    if made != facts.planned:
        troubles.append(f"{facts.planned - made} of {facts.planned} faults were not made")
    return line("every fault was made, and what it hit was back", f"{made} faults", troubles, seen=made)


def tasks_ended(facts: Facts) -> Line:
    """Every task that a client was given has ended."""
    rows = {task.id: task for task in facts.tasks}
    troubles = [f"{task} is lost" for task in sorted(facts.accepted - rows.keys())]
    troubles += [f"{task.id} ({task.kind}) is {task.status}" for task in facts.tasks if not task.is_final]
    counts = Counter(task.status for task in facts.tasks)
    detail = f"{len(facts.accepted)} accepted; rows: {_counted(counts)}"
    return line("every accepted task has ended", detail, troubles, seen=len(facts.accepted))


def tasks_failed_properly(facts: Facts) -> Line:
    """No task ended with a bug of ours."""
    bugs = Counter(f"{task.kind}: {task.error}" for task in facts.tasks if task.error == BuddyError.error)
    counts = Counter(task.error for task in facts.tasks if task.error is not None)
    detail = _counted(counts) or "none failed"
    return line("every task that failed says why", detail, _most(bugs), seen=len(facts.tasks))


def tasks_ran_once(facts: Facts) -> Line:
    """No task ran more often than its kind may."""
    troubles = [
        f"{task.id} ({task.kind}) ran {task.attempts} times"
        for task in facts.tasks
        if task.attempts > (2 if task.may_repeat else 1)
    ]
    again = sum(task.attempts > 1 for task in facts.tasks)
    return line(
        "no task ran twice where it must not",
        f"{again} ran again where they may",
        troubles,
        seen=len(facts.tasks),
    )


def heals_recorded(facts: Facts) -> Line:
    """Every heal event is in a file and in the database, once."""
    on_disk = Counter(event.id for event in facts.journal)
    in_rows = Counter(event.id for event in facts.rows)
    troubles = [f"{name} is only in a file" for name in on_disk.keys() - in_rows.keys()]
    troubles += [f"{name} is only in the database" for name in in_rows.keys() - on_disk.keys()]
    for where, counts in (("the files", on_disk), ("the database", in_rows)):
        troubles += [f"{name} is {count} times in {where}" for name, count in counts.items() if count > 1]
    return line(
        "every heal event is recorded exactly once", f"{len(in_rows)} events", troubles, seen=len(in_rows)
    )


def incidents_ended(facts: Facts) -> Line:
    """Every incident began once and has ended once."""
    events: dict[str, list[Heal]] = {}
    for event in facts.rows:
        events.setdefault(event.incident, []).append(event)
    troubles = []
    longest = max((told[-1].at - told[0].at for told in events.values()), default=0)
    for incident, told in events.items():
        happened = [event.kind for event in told]
        if happened.count("detected") != 1:
            troubles.append(f"{incident} began {happened.count('detected')} times")
        if sum(kind in _LAST for kind in happened) != 1:
            troubles.append(f"{incident} has ended {sum(kind in _LAST for kind in happened)} times")
    detail = f"{len(events)} incidents, the longest {longest:.0f} s"
    return line("every incident has ended", detail, troubles, seen=len(events))


def one_gateway(facts: Facts) -> Line:
    """There were never two gateways at once."""
    most = facts.gateways_at_once
    troubles = [f"{most} ran at the same time"] if most > 1 else []
    return line("never two gateways", f"{most} at most", troubles, seen=most)


def requests_proper(facts: Facts) -> Line:
    """What came as an answer was one."""
    bad = Counter(f"{r.kind} {r.what}: {r.said}" for r in facts.requests if r.end is End.IMPROPER)
    counts = Counter(request.said for request in facts.requests)
    return line(
        "every answer was a proper one", _counted(counts), _most(bad), seen=counts.total() - counts["cut"]
    )


def requests_in_time(facts: Facts) -> Line:
    """Nobody waited beyond the deadline."""
    hung = Counter(f"{r.kind} {r.what}" for r in facts.requests if r.end is End.HUNG)
    longest = max((r.ended - r.began for r in facts.requests), default=0)
    return line("no request hung", f"longest {longest:.1f} s", _most(hung), seen=len(facts.requests))


def requests_cut(facts: Facts) -> Line:
    """A connection broke only where the process at its other end was killed or frozen."""
    windows = list(facts.web_windows())
    cut = [request for request in facts.requests if request.end is End.CUT]
    bad = Counter(
        f"{r.kind} {r.what}: {r.said}"
        for r in cut
        if not any(w.touches(r.began - SLACK_SECONDS, r.ended + SLACK_SECONDS) for w in windows)
    )
    detail = f"{len(cut)} cut, the web process was down {len(windows)} times"
    return line("connections broke only with the web process", detail, _most(bad), seen=len(facts.requests))


def settled(facts: Facts) -> Line:
    """All came to rest, without help."""
    return Line("all came to rest in time", "after the last fault", tuple(facts.unsettled))


def works_again(facts: Facts) -> Line:
    """Every kind of client is served in the end."""
    troubles = [f"{kind}: {problem}" for kind, problem in facts.works_again.items() if problem is not None]
    kinds = ", ".join(facts.works_again)
    return line("every kind of client works again", kinds, troubles, seen=len(facts.works_again))


def render(title: str, lines: list[Line]) -> str:
    """Return the ledger as Markdown."""
    rows = [title, "", "| | promise | looked at |", "|---|---|---|"]
    for entry in lines:
        rows.append(f"| {'pass' if entry.passed else 'FAIL'} | {entry.promise} | {entry.detail} |")
        rows += [f"| | | {trouble.replace('|', '/')} |" for trouble in entry.troubles[:SHOWN]]
        if len(entry.troubles) > SHOWN:
            rows.append(f"| | | … and {len(entry.troubles) - SHOWN} more |")
    return "\n".join(rows) + "\n"


CHECKS: tuple[Callable[[Facts], Line], ...] = (
    faults, tasks_ended, tasks_failed_properly, tasks_ran_once, heals_recorded, incidents_ended,
    one_gateway, requests_proper, requests_in_time, requests_cut, settled, works_again,
)  # fmt: skip


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} × {count}" for name, count in counts.most_common())


def _most(counts: Counter[str]) -> list[str]:
    return [f"{what} ({count} ×)" if count > 1 else what for what, count in counts.most_common()]
