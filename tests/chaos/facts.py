"""What a soak has seen: plain values, times as seconds of the wall clock. The ledger judges them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from chaos.schedule import Fault


class End(StrEnum):
    """How a request ended."""

    ANSWERED = "answered"  # with what was asked for, or with an error as documented
    IMPROPER = "improper"  # with something else
    CUT = "cut"  # the connection broke, or there was none
    HUNG = "hung"  # nothing came before the deadline


@dataclass(frozen=True)
class Request:
    """One request of a client."""

    kind: str  # of client
    what: str  # method and path
    began: float
    ended: float
    end: End
    said: str  # the status and, of an error, its code


class Said(StrEnum):
    """What a client was told of a change."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"  # the connection broke, or the failure may have come after the change


@dataclass(frozen=True)
class Attempt:
    """One change: `key` shall be `value`. Those of one key come one after the other."""

    key: str
    value: str
    began: float
    ended: float
    said: Said


@dataclass(frozen=True)
class Window:
    """A stretch of time."""

    began: float
    ended: float

    def touches(self, began: float, ended: float) -> bool:
        """Whether the two have a moment in common."""
        return began <= self.ended and ended >= self.began


@dataclass(frozen=True)
class Broken(Window):
    """A stretch in which `openclaw.json` was not what it has to be, and what it was instead."""

    why: str = "not whole"


@dataclass(frozen=True)
class Seen:
    """What `openclaw.json` held from a moment on."""

    at: float
    content: bytes


@dataclass(frozen=True)
class Look:
    """What every key was at a moment, where it is kept; in the midst of a run, only those of the config."""

    at: float
    values: dict[str, str | None]
    is_in_the_midst: bool = False


@dataclass(frozen=True)
class Taken:
    """A repair of the config: what each key was after it. `problem`: why it is not on record."""

    at: float
    kind: str
    values: dict[str, str | None]
    problem: str | None = None


@dataclass(frozen=True)
class Blow:
    """A fault as it was made; `problem`: what was hit was not back in time."""

    fault: Fault
    window: Window
    problem: str | None = None


@dataclass(frozen=True)
class Task:
    """A task as its row says it in the end."""

    id: str
    kind: str
    status: str
    is_final: bool
    attempts: int
    may_repeat: bool
    error: str | None = None  # for machines


@dataclass(frozen=True)
class Heal:
    """A heal event, from a file of the watchdog or from the database."""

    id: str
    incident: str
    kind: str
    at: float
    repair: str | None


@dataclass(frozen=True)
class Usage:
    """What a process held at a moment."""

    part: str
    pid: int
    at: float
    handles: int
    megabytes: float


@dataclass
class Facts:
    """All of one run."""

    seconds: float = 0.0  # the length of the schedule
    blows: list[Blow] = field(default_factory=list)
    planned: int = 0
    unmade: list[str] = field(default_factory=list)  # faults that could not be made, and why
    requests: list[Request] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    # before each repair of the config, after the faults, and once more after the calm
    looks: list[Look] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    accepted: set[str] = field(default_factory=set)  # ids of tasks that a client was given
    tasks: list[Task] = field(default_factory=list)
    journal: list[Heal] = field(default_factory=list)
    rows: list[Heal] = field(default_factory=list)
    config_looks: int = 0
    config_broken: list[Broken] = field(default_factory=list)
    config_contents: int = 0  # different ones that were whole
    config_judged: int = 0  # of these, by OpenClaw
    config_refused: list[str] = field(default_factory=list)  # why, where it did not take one
    corruptions: list[Window] = field(default_factory=list)
    gateways_at_once: int = 0
    usage: list[Usage] = field(default_factory=list)
    plateau: Window = field(default_factory=lambda: Window(0, 0))
    calm: Window = field(default_factory=lambda: Window(0, 0))
    strangers: set[str] = field(default_factory=set)
    left: list[str] = field(default_factory=list)  # processes after the stop
    unsettled: list[str] = field(default_factory=list)  # what did not come to rest in time
    works_again: dict[str, str | None] = field(default_factory=dict)  # by kind of client: what is wrong

    def web_windows(self) -> Iterable[Window]:
        """Return when the api and the proxy were down or frozen."""
        return (blow.window for blow in self.blows if blow.fault.part == "web")
