"""The record of what was seen and done: on the disk first, then in the database, each thing once."""

from buddy_common.schemas.healing import HealEvent, HealthCheck
from buddy_common.settings import DatabaseSettings, HomeSettings


class Recorder:
    """Writes down; what is wrong with the disk or the database is never the caller's trouble."""

    async def check(self, check: HealthCheck) -> None:
        """Keep a look for a month."""
        raise NotImplementedError(check.id)

    async def event(self, event: HealEvent) -> None:
        """Keep an event for ever; when this returns, it is on the disk, or held until the disk takes it."""
        raise NotImplementedError(event.id)

    async def run_forever(self) -> None:
        """Bring what is on the disk into the database, as soon as that is there."""
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of the files and of the database."""
        raise NotImplementedError


def build_recorder(home: HomeSettings, database: DatabaseSettings) -> Recorder:
    """Wire the recorder of this node; nothing is opened yet."""
    raise NotImplementedError(home.node, database)
