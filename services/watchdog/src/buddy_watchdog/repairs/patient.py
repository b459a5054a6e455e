"""What a repair acts on, and what it tells."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.log import mask
from buddy_common.schemas.processes import ProcessIdentity
from buddy_common.usecases.follow_startup import Patience
from buddy_watchdog.evidence import Evidence

log = structlog.get_logger(__name__)

MAX_LINES = 400

Begins = Callable[[str], Awaitable[None]]


async def _untold(_name: str) -> None:
    """Tell nobody."""


class RepairNotes:
    """What a repair says of itself, for the report; it holds the locks that its programs must not outlive."""

    def __init__(self, lock_descriptors: Sequence[int] = (), *, begins: Begins = _untold) -> None:
        """`begins` takes the repair's name before anything is changed."""
        self.lock_descriptors = lock_descriptors
        self.begins = begins
        self.lines: list[str] = []
        self._stage: str | None = None

    async def stage(self, name: str, percent: int) -> None:
        """Say what happens now."""
        del percent
        if name != self._stage:
            self._stage = name
            log.info("repair_stage", stage=name)

    async def line(self, text: str) -> None:
        """Keep one line, secrets masked."""
        if len(self.lines) < MAX_LINES:
            self.lines.append(mask(text))

    async def command(self, text: str) -> None:
        """Keep the name of a program that is run."""
        await self.line(f"$ {text}")

    async def runs(self, process: ProcessIdentity) -> None:
        """Tell which process group is about to run."""
        log.info("repair_runs", pid=process.pid)


@dataclass(frozen=True)
class Patient:
    """The gateway and everything that belongs to it, in the middle of a repair."""

    host: HostPlane
    evidence: Evidence
    incident: str
    attempt: int
    notes: RepairNotes

    @property
    def patience(self) -> Patience:
        """How long a start may take."""
        return Patience.of(self.host.gateway_settings)


@dataclass(frozen=True)
class Repaired:
    """How a repair ended: `ok` says that the gateway was seen up after it."""

    name: str
    ok: bool
    said: str
    lines: list[str] = field(default_factory=list)
    counts: bool = True
