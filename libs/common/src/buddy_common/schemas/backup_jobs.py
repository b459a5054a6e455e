"""The jobs that keep and bring back what `openclaw.json` was."""

from typing import Annotated, ClassVar

from pydantic import StringConstraints

from buddy_common.schemas.backups import NAME
from buddy_common.schemas.job import Job, Lane, NodeLock
from buddy_common.schemas.resources import MIRRORED, Resource

BackupName = Annotated[str, StringConstraints(pattern=rf"^{NAME}$", max_length=64)]


class _BackupJob(Job):
    module: ClassVar[str] = "config"
    lane: ClassVar[Lane] = Lane.FAST
    repeatable: ClassVar[bool] = True  # each finds what its first attempt has kept


class MakeBackupJob(_BackupJob):
    """Keep `openclaw.json` and what it includes as they are now."""

    task: ClassVar[str] = "buddy.config.backup"
    title: ClassVar[str] = "Back up config"
    action: ClassVar[str] = "backup"
    deadline_seconds: ClassVar[float] = 60
    locks: ClassVar[frozenset[NodeLock]] = frozenset({NodeLock.CONFIG})

    @property
    def target(self) -> str | None:
        """A node has one config."""
        return "openclaw.json"


class RestoreBackupJob(_BackupJob):
    """Put a backup in the place of `openclaw.json`; the gateway is stopped meanwhile."""

    task: ClassVar[str] = "buddy.config.restore"
    title: ClassVar[str] = "Restore config"
    action: ClassVar[str] = "restore"
    deadline_seconds: ClassVar[float] = (
        1200  # a check, 60 s; a stop, 390 s; a start, 300 s; to undo it, 330 s
    )
    locks: ClassVar[frozenset[NodeLock]] = frozenset({NodeLock.CONFIG, NodeLock.LIFECYCLE})
    changes: ClassVar[tuple[Resource, ...]] = MIRRORED

    name: BackupName

    @property
    def target(self) -> str | None:
        """The backup."""
        return self.name
