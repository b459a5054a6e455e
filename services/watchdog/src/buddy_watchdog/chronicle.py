"""What the healer needs of whoever writes everything down."""

from collections.abc import Sequence
from typing import Protocol

from buddy_common.schemas.healing import HealEvent


class Chronicle(Protocol):
    """Where everything is written down, and who tells people."""

    async def event(self, event: HealEvent) -> None:
        """Keep an event for ever; what is wrong with the disk or the database is not the caller's trouble."""
        ...

    async def tell(self, event: HealEvent) -> None:
        """Alert people; never raises."""
        ...

    async def make_way(self) -> None:
        """Stop at once what could slow a repair down."""
        ...

    async def report(self, event: HealEvent, *, lines: list[str], said: Sequence[str] = ()) -> str | None:
        """Bring the incident's report up to date and return its name; None where it cannot be written.

        `lines` is what a repair says of itself, `said` what a gateway said that has gone.
        """
        ...
