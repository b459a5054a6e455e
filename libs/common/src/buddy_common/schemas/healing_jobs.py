"""The jobs that say what the watchdog may do, and undo what it did."""

from typing import Annotated, ClassVar

from pydantic import AwareDatetime, StringConstraints

from buddy_common.schemas.config_job import ConfigJob
from buddy_common.schemas.healing import Healing
from buddy_common.schemas.job import Job, Lane, NodeLock
from buddy_common.schemas.resources import MIRRORED, Resource

QUARANTINE_ID = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
QuarantineId = Annotated[str, StringConstraints(pattern=QUARANTINE_ID)]


class _HealJob(Job):
    module: ClassVar[str] = "heal"
    lane: ClassVar[Lane] = Lane.FAST
    deadline_seconds: ClassVar[float] = 60
    repeatable: ClassVar[bool] = True  # to want the same twice is to want it once


class SetSelfHealingJob(_HealJob):
    """Switch the repairs on or off, or pause them until a time."""

    task: ClassVar[str] = "buddy.heal.set"
    title: ClassVar[str] = "Set self-healing"
    action: ClassVar[str] = "set"

    mode: Healing
    paused_until: AwareDatetime | None = None

    @property
    def target(self) -> str | None:
        """What it is set to."""
        return self.mode if self.paused_until is None else f"paused until {self.paused_until.isoformat()}"


class CloseCircuitJob(_HealJob):
    """Let the watchdog repair again after it gave up."""

    task: ClassVar[str] = "buddy.heal.close"
    title: ClassVar[str] = "Close circuit"
    action: ClassVar[str] = "close"

    @property
    def target(self) -> str | None:
        """A node has one circuit."""
        return "circuit"


class SendTestAlertJob(_HealJob):
    """Send an alert to everybody whom the node would tell of an incident."""

    task: ClassVar[str] = "buddy.heal.alert"
    title: ClassVar[str] = "Send test alert"
    action: ClassVar[str] = "alert"
    repeatable: ClassVar[bool] = False  # nobody wants it twice

    @property
    def target(self) -> str | None:
        """Everybody."""
        return "alerts"


class ReleaseQuarantineJob(ConfigJob):
    """Put an entry back into the config; the gateway must come up with it, or it stays in quarantine."""

    task: ClassVar[str] = "buddy.heal.release"
    title: ClassVar[str] = "Release from quarantine"
    module: ClassVar[str] = "heal"
    action: ClassVar[str] = "release"
    changes: ClassVar[tuple[Resource, ...]] = MIRRORED

    id: QuarantineId

    @property
    def target(self) -> str | None:
        """The entry."""
        return self.id


class DiscardQuarantineJob(_HealJob):
    """Forget an entry for good; no release and no repair is in the middle of it meanwhile."""

    task: ClassVar[str] = "buddy.heal.discard"
    title: ClassVar[str] = "Discard from quarantine"
    action: ClassVar[str] = "discard"
    locks: ClassVar[frozenset[NodeLock]] = frozenset({NodeLock.CONFIG})

    id: QuarantineId

    @property
    def target(self) -> str | None:
        """The entry."""
        return self.id
