"""What the operator wants of the watchdog: the worker writes it, the watchdog reads it with each look."""

from collections.abc import Callable
from pathlib import Path

import structlog
from pydantic import TypeAdapter

from buddy_common.adapters.own_record import OwnRecord
from buddy_common.schemas.healing import SelfHealing

log = structlog.get_logger(__name__)


class SelfHealingFile:
    """One file in the node's state folder; where it is missing or damaged, the defaults count."""

    def __init__(self, path: Path) -> None:
        self._record = OwnRecord(path, TypeAdapter(SelfHealing))
        self._said_default = False

    def read(self) -> SelfHealing:
        """Return what is wanted; blocking."""
        wishes = self._record.read()
        if wishes is None and not self._said_default:
            log.info("self_healing_by_default", file=self._record.path.name)
        self._said_default = wishes is None
        return wishes or SelfHealing()

    def write(self, wishes: SelfHealing) -> None:
        """Replace what is wanted; blocking.

        Raises:
            StateUnwritableError: it cannot be written; what was wanted before still counts.
        """
        with self._record.alone():
            self._record.write(wishes)

    def change(self, edit: Callable[[SelfHealing], SelfHealing]) -> SelfHealing:
        """Change what is wanted, whoever else does at this moment, and return it; blocking.

        Raises:
            StateUnwritableError: it cannot be written; what was wanted before still counts.
        """
        with self._record.alone():
            wishes = edit(self._record.read_to_change() or SelfHealing())
            self._record.write(wishes)
        return wishes
