"""Which nodes there are, looked up in the database every few seconds and not for each request."""

import time

from buddy_common.db import nodes
from buddy_common.db.engine import Database
from buddy_common.errors import DatabaseUnavailableError

FRESH_SECONDS = 5.0


class KnownNodes:
    """The names of the nodes that have registered."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._names: list[str] = []
        self._read_at = 0.0

    async def names(self, *, wanted: str | None = None) -> list[str]:
        """Return the names; who wants one that was not there yet has them looked up again.

        Raises:
            DatabaseUnavailableError: they were never read, and cannot be now.
        """
        known = bool(self._names) and (wanted is None or wanted in self._names)
        if known and time.monotonic() - self._read_at < FRESH_SECONDS:
            return self._names
        try:
            self._names = await self._database.run(nodes.names)
        except DatabaseUnavailableError:
            if not known:
                raise
        self._read_at = time.monotonic()
        return self._names
