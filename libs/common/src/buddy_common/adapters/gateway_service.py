"""The service of the gateway, where it has one: its unit as the one who starts it and keeps it down.

Every call runs a program and waits for it: call from a thread, never from the event loop.
"""

import signal
from contextlib import suppress

from buddy_common.adapters.host_state import FileHostState
from buddy_common.adapters.processes import identify
from buddy_common.adapters.service_manager import ServiceManager
from buddy_common.errors import ServiceManagerError, StateUnwritableError
from buddy_common.schemas.gateway import ServiceUnit
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity


class GatewayService:
    """The unit that is installed for the gateway; looked for anew each time, since it comes and goes."""

    def __init__(self, services: ServiceManager, state: FileHostState) -> None:
        self._services = services
        self._state = state
        self._runs: dict[ProcessIdentity, str | None] = {}  # how the journal names the run of a process

    def process(self) -> ProcessIdentity | None:
        """Return the process that it has now, whether it listens or not."""
        unit = self._services.installed_unit()
        pid = self._services.main_pid(unit) if unit is not None else None
        return identify(pid) if pid is not None else None

    def start(self, *, instead_of: ServiceUnit | None = None) -> tuple[ProcessIdentity, ServiceUnit] | None:
        """Start it and return its process; None where there is no service.

        `instead_of` is the unit whose process was ended just now: found by its process, it may be one
        that no file gives away.

        Raises:
            ServiceManagerError: it cannot be started.
        """
        unit = instead_of or self._services.installed_unit()
        return None if unit is None else (self._note_run(self._services.run(unit), unit), unit)

    def start_command(self) -> str | None:
        """Return its start as people type it; None where there is no service."""
        unit = self._services.installed_unit()
        return None if unit is None else self._services.start_command(unit)

    def successor(self, unit: ServiceUnit) -> ProcessIdentity | None:
        """Wait for the process that it starts in the place of one that has ended; None: it starts none."""
        try:
            return self._note_run(self._services.await_process(unit), unit)
        except ServiceManagerError:
            return None

    def hold_down(self) -> bool:
        """Keep it from starting a process, while there is none; whether it was about to.

        Raises:
            ServiceManagerError: it cannot be stopped.
        """
        unit = self._services.installed_unit()
        status = self._services.status(unit) if unit is not None else None
        if unit is None or status is None or not status.active:
            return False
        self._services.stop(unit)
        return True

    def end(self, process: ProcessIdentity, unit: ServiceUnit, number: signal.Signals) -> None:
        """Stop the unit of the process, or kill it, and keep on record that it was us.

        Raises:
            ServiceManagerError: it does not obey.
        """
        self._note_ending(process)
        try:
            if number is signal.SIGTERM:
                self._services.stop(unit)
            else:
                self._services.kill(unit)
        except ServiceManagerError as exc:
            # refused, it lives on and may be stopped by somebody else; unanswered, it may be on its way,
            # and before it is killed a stop is in the queue
            if number is signal.SIGTERM and not exc.timed_out:
                self._note_ending(None)
            raise

    def _note_ending(self, process: ProcessIdentity | None) -> None:
        with suppress(StateUnwritableError):  # a full disk is no reason to let it run
            self._state.note_ending(process)

    def was_ended_by_us(self) -> bool:
        """Whether it is down, and its last process is one that we have stopped."""
        noted = self._state.noted_ending()
        unit = self._services.installed_unit() if noted is not None else None
        status = self._services.status(unit) if unit is not None else None
        if noted is None or status is None:
            return False
        return status.main_pid is None and status.last_pid == noted.pid

    def last_exit(self) -> ProcessExit | None:
        """Return how its last process ended; None while it runs, and where there is no service."""
        unit = self._services.installed_unit()
        return None if unit is None else self._services.result(unit)

    def lines(
        self, process: ProcessIdentity, unit: ServiceUnit, *, position: str | None
    ) -> tuple[list[str], str | None]:
        """Return what the process and its service put on record since `position`, and the new position.

        Without a position: the last lines. Nothing where none are kept, or none that we may read.
        """
        if process not in self._runs:
            self._note_run(process, unit)
        return self._services.log(self._runs[process], position)

    def _note_run(self, process: ProcessIdentity, unit: ServiceUnit) -> ProcessIdentity:
        """Once the unit runs anew, nothing tells which run was this one."""
        self._runs = {process: self._services.invocation(unit)}
        return process
