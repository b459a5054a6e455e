"""What the terminals write into the list of events."""

from sqlmodel import Session

from buddy_common.db import events
from buddy_common.db.engine import Database
from buddy_common.log import mask
from buddy_common.ports import Caller
from buddy_common.schemas.events import EventStatus

MAX_TARGET = 100


class TerminalAudit:
    """Events of one node."""

    def __init__(self, database: Database, *, node: str) -> None:
        self._database = database
        self._node = node

    async def opened(self, caller: Caller, program: str) -> None:
        """Write down that somebody has opened a terminal.

        Raises:
            DatabaseUnavailableError: it could not be written.
        """
        await self._write(caller, action="open_terminal", target=program, status=EventStatus.SUCCESS)

    async def refused(self, caller: Caller, line: str) -> None:
        """Write down what somebody wanted to run.

        Raises:
            DatabaseUnavailableError: it could not be written.
        """
        await self._write(
            caller, action="run_shell", target=mask(line)[:MAX_TARGET], status=EventStatus.DENIED
        )

    async def _write(self, caller: Caller, *, action: str, target: str, status: EventStatus) -> None:
        def record(session: Session) -> None:
            events.add(
                session,
                actor=caller.name,
                action=action,
                status=status,
                target=target,
                address=caller.address,
                node=self._node,
            )

        await self._database.run(record)
