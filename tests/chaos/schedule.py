"""What is broken when: made of a seed and a length alone, so that a run can be repeated."""

import random
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

# time to begin before the first fault, and for the last one to pass before the end
FIRST_SECONDS = 5.0
LAST_SECONDS = 15.0
GAP_SECONDS = (3.0, 8.0)
# a gateway has to start anew: another blow before that would only test the start, again and again
HEAVY_GAP_SECONDS = 45.0
FREEZE_SECONDS = (2.0, 12.0)
# from silences that nobody notices to those that count as a hang
GATEWAY_FREEZE_SECONDS = (4.0, 30.0)
DISK_SECONDS = (4.0, 12.0)
CONFIG_SECONDS = (2.0, 8.0)


class Part(StrEnum):
    """What can be killed or frozen: the children of `buddy up` by their names, and the gateway."""

    WEB = "web"  # the api, and the proxy in the same process
    WORKER_FAST = "worker-fast"
    WORKER_SLOW = "worker-slow"
    WATCHDOG = "watchdog"
    BROKER = "broker"
    GATEWAY = "gateway"


class Act(StrEnum):
    """What is done to it."""

    KILL = "kill"
    FREEZE = "freeze"
    FILL_DISK = "fill the disk"
    HALF_CONFIG = "leave half of openclaw.json"
    UNKNOWN_KEY = "put an unknown key into openclaw.json"
    BAD_PLUGIN = "put a bad plugin entry into openclaw.json"


CORRUPTIONS = (Act.HALF_CONFIG, Act.UNKNOWN_KEY, Act.BAD_PLUGIN)


@dataclass(frozen=True)
class Fault:
    """One blow, `at` seconds after the beginning, which lasts for `seconds` where it does not pass at once.

    A corrupt config either meets a gateway that has to start (`then_kill`), and the watchdog mends it, or the
    outside writer sees the mistake and takes it back.
    """

    at: float
    act: Act
    part: Part | None = None
    seconds: float = 0.0
    then_kill: bool = False

    @property
    def is_heavy(self) -> bool:
        """Whether the gateway is likely to start anew for it."""
        return self.part is Part.GATEWAY or self.then_kill

    def __str__(self) -> str:
        what = self.act if self.part is None else f"{self.act} {self.part}"
        lasting = f" for {self.seconds:.0f} s" if self.seconds else ""
        return f"{what}{lasting}{', then kill the gateway' if self.then_kill else ''}"


def make_schedule(seed: int, *, minutes: float, disk: bool) -> list[Fault]:
    """Return the faults of a run in order; `disk`: whether there is one that may be filled.

    Each kind has its turn before any has its second.
    """
    chance = random.Random(seed)
    faults: list[Fault] = []
    deck: deque[Fault] = deque()
    at, heavy_from = FIRST_SECONDS, 0.0
    while at <= minutes * 60 - LAST_SECONDS:
        if not deck:
            deck.extend(_shuffled(chance, disk=disk))
        drawn = next((card for card in deck if not card.is_heavy or at >= heavy_from), None)
        if drawn is None:  # only heavy ones are left of this round
            at = heavy_from
            continue
        deck.remove(drawn)
        faults.append(Fault(at, drawn.act, drawn.part, drawn.seconds, drawn.then_kill))
        if drawn.is_heavy:
            heavy_from = at + drawn.seconds + HEAVY_GAP_SECONDS
        at += chance.uniform(*GAP_SECONDS)
        if drawn.part is not Part.GATEWAY:
            at += drawn.seconds  # a gateway that is frozen has its faults beside it, others their own
    return faults


def _shuffled(chance: random.Random, *, disk: bool) -> list[Fault]:
    """Return one fault of each kind in a new order, with a new length."""
    kills = [Fault(0, Act.KILL, part) for part in Part]
    freezes = [Fault(0, Act.FREEZE, part, _freeze(chance, part)) for part in Part]
    fills = [Fault(0, Act.FILL_DISK, seconds=chance.uniform(*DISK_SECONDS))] if disk else []
    corruptions = [_corruption(chance, act) for act in CORRUPTIONS]
    cards = [*kills, *freezes, *fills, *corruptions]
    chance.shuffle(cards)
    return cards


def _freeze(chance: random.Random, part: Part) -> float:
    return chance.uniform(*(GATEWAY_FREEZE_SECONDS if part is Part.GATEWAY else FREEZE_SECONDS))


def _corruption(chance: random.Random, act: Act) -> Fault:
    if chance.random() < 0.5:
        return Fault(0, act, then_kill=True)
    return Fault(0, act, seconds=chance.uniform(*CONFIG_SECONDS))
