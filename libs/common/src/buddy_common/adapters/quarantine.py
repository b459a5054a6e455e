"""Entries of the config that were taken out so that the gateway starts: kept on the host, secrets and all."""

from pathlib import Path

from pydantic import TypeAdapter

from buddy_common.adapters.own_record import OwnRecord
from buddy_common.schemas.healing import Quarantined


class Quarantine:
    """One private file, replaced whole; the watchdog adds, a release or the watchdog removes."""

    def __init__(self, path: Path) -> None:
        self._record = OwnRecord(path, TypeAdapter(list[Quarantined]))

    def listing(self) -> list[Quarantined]:
        """Return what is kept, oldest first."""
        return self._record.read() or []

    def get(self, name: str) -> Quarantined | None:
        """Return the entry of this id, None when there is none."""
        return next((row for row in self.listing() if row.id == name), None)

    def add(self, entry: Quarantined) -> None:
        """Keep an entry; one of the same id is replaced.

        Raises:
            StateUnwritableError: it is not kept, so it must stay in the config.
        """
        with self._record.alone():
            others = [row for row in self._record.read_to_change() or [] if row.id != entry.id]
            self._record.write([*others, entry])

    def remove(self, name: str) -> None:
        """Forget an entry; one that is not there is no error.

        Raises:
            StateUnwritableError: it is still kept.
        """
        with self._record.alone():
            rows = self._record.read_to_change() or []
            left = [row for row in rows if row.id != name]
            if left != rows:
                self._record.write(left)
