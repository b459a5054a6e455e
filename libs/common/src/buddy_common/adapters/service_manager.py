"""The service manager of this host, systemd or launchd, as far as the gateway is concerned.

Every call runs a program and waits for it: call from a thread, never from the event loop.
"""

import sys
import time

from buddy_common.adapters.accounts import account_of_folder
from buddy_common.adapters.cgroups import is_in_another_container, unit_name_of
from buddy_common.adapters.journal import journal_command, journal_lines
from buddy_common.adapters.launchd import Launchd
from buddy_common.adapters.launchd_jobs import installed_job, property_list
from buddy_common.adapters.processes import identify
from buddy_common.adapters.systemd import Systemd
from buddy_common.adapters.systemd_units import installed_unit, runs_gateway
from buddy_common.errors import ServiceManagerError
from buddy_common.schemas.gateway import GatewayOwner, ServiceStatus, ServiceUnit
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity
from buddy_common.settings import GatewaySettings

NO_SERVICE = "none"
POLL_SECONDS = 0.1
# what a service manager may take until a unit that it was told to start has a process
UNIT_SECONDS = 60.0
_REASON_LINES = 8


class ServiceManager:
    """Finds the unit of the gateway and operates it; a host without a manager simply has no unit."""

    def __init__(self, settings: GatewaySettings, *, platform: str = sys.platform) -> None:
        self._service = settings.service
        self._config_dir = settings.config_dir
        self._manager: Systemd | Launchd = Launchd() if platform == "darwin" else Systemd()

    def installed_unit(self) -> ServiceUnit | None:
        """Return the unit that the settings name, else the one that is installed for this gateway.

        A unit that the settings name is believed: when it is missing, its start says so.
        """
        if self._service == NO_SERVICE:
            return None
        if self._service is not None:
            return self._named(self._service)
        if isinstance(self._manager, Launchd):
            return installed_job(self._manager, self._config_dir)
        return installed_unit(self._manager, self._config_dir)

    def unit_of(self, process: ProcessIdentity) -> ServiceUnit | None:
        """Return the unit that is there to run this process: one that merely contains it does not count."""
        if self._service == NO_SERVICE or is_in_another_container(process.pid):
            return None
        if isinstance(self._manager, Launchd):
            return self._manager.job_of(process.pid) or self._installed_job_of(process.pid)
        found = unit_name_of(process.pid)
        if found is None:
            return None
        unit = self._manager.unit(found.name, uid=found.uid)
        facts = self._manager.facts(unit)
        # a gateway that was started by cron, sshd, tmux or pm2 runs in their unit, which must live on
        is_its_own = facts.get("MainPID") == str(process.pid) or runs_gateway(found.name, facts)
        return unit if is_its_own or found.name == self._service_file else None

    def _installed_job_of(self, pid: int) -> ServiceUnit | None:
        """A job of another domain is not in our list, but answers for itself."""
        job = self.installed_unit()
        return job if job is not None and self.main_pid(job) == pid else None

    def start_command(self, unit: ServiceUnit) -> str:
        """Return the start of the unit as people type it."""
        return self._manager.start_command(unit)

    def start(self, unit: ServiceUnit) -> None:
        """Order the start and return; `await_process` then tells the process.

        Raises:
            ServiceManagerError: the manager refused, or did not answer.
        """
        if isinstance(self._manager, Launchd):
            self._manager.start(unit, plist=property_list(unit.name, self._config_dir))
        else:
            self._manager.start(unit)

    def run(self, unit: ServiceUnit) -> ProcessIdentity:
        """Start the unit and return its main process. A unit whose process ends at once stays down.

        Raises:
            ServiceManagerError: the manager refused, the unit had no process in time, or it ended at once.
        """
        earlier = self.status(unit)
        self.start(unit)
        return self.await_process(unit, earlier=earlier)

    def await_process(
        self, unit: ServiceUnit, *, seconds: float = UNIT_SECONDS, earlier: ServiceStatus | None = None
    ) -> ProcessIdentity:
        """Return the unit's main process, as soon as it has one.

        With the `earlier` status, one that has ended since then counts, even if the unit would restart.

        Raises:
            ServiceManagerError: it had none in time, or it ended at once: then the unit is stopped.
        """
        deadline = time.monotonic() + seconds
        while True:
            status = self.status(unit)
            found = identify(status.main_pid) if status is not None and status.main_pid else None
            if found is not None:
                return found
            if status is not None and _has_ended(status, earlier):
                raise self._ended_at_once(unit, status)
            if time.monotonic() >= deadline:
                raise self._not_started(unit, "it has no process")
            time.sleep(POLL_SECONDS)

    def _ended_at_once(self, unit: ServiceUnit, status: ServiceStatus) -> ServiceManagerError:
        lines, _ = self.log(self.invocation(unit), None)
        if status.active:  # Restart=always would bring it back for ever
            self.stop(unit)
        said = f": {' | '.join(lines[-_REASON_LINES:])}" if lines else ""
        return self._not_started(unit, f"it ended at once ({status.last_exit}){said}")

    def _not_started(self, unit: ServiceUnit, reason: str) -> ServiceManagerError:
        by_hand = self.log_command(unit)
        return ServiceManagerError(f"The start of the {unit}", reason=reason, by_hand=by_hand)

    def stop(self, unit: ServiceUnit) -> None:
        """Order the stop and return; the unit stays down until it is started again.

        Raises:
            ServiceManagerError: the manager refused, or did not answer.
        """
        self._manager.stop(unit)

    def kill(self, unit: ServiceUnit) -> None:
        """Kill the unit's processes; it stays down until it is started again.

        Raises:
            ServiceManagerError: the manager refused, or did not answer.
        """
        self._manager.kill(unit)

    def status(self, unit: ServiceUnit) -> ServiceStatus | None:
        """Return what the unit does now; None when it is not there, or its manager does not answer."""
        return self._manager.status(unit)

    def main_pid(self, unit: ServiceUnit) -> int | None:
        """Return the unit's main process, None while it has none."""
        status = self.status(unit)
        return None if status is None else status.main_pid

    def result(self, unit: ServiceUnit, *, pid: int | None = None) -> ProcessExit | None:
        """Return how the unit's last main process ended, None while it runs or when it was not `pid`."""
        status = self.status(unit)
        if status is None or (pid is not None and status.last_pid not in (None, pid)):
            return None
        return status.last_exit

    def log(self, run: str | None, position: str | None) -> tuple[list[str], str | None]:
        """Return what a run of a unit wrote since `position`, at first its last lines; and the new position.

        launchd keeps no such log; its jobs write into files of their own.
        """
        return ([], None) if run is None else journal_lines(run, position)

    def log_command(self, unit: ServiceUnit) -> str:
        """Return what people type to see what the unit said."""
        if unit.manager is GatewayOwner.LAUNCHD:
            return "openclaw gateway status --deep"
        return journal_command(unit)

    def invocation(self, unit: ServiceUnit) -> str | None:
        """Return the name of the unit's present run, or its last one, for `log`."""
        return None if isinstance(self._manager, Launchd) else self._manager.invocation(unit)

    def _named(self, name: str) -> ServiceUnit:
        """Return the unit of that name: the account's, else the system's; ours to miss when there is none."""
        name = self._service_file or name
        account = account_of_folder(self._config_dir)
        mine = self._manager.unit(name, uid=account.uid)
        systems = self._manager.unit(name, uid=None)
        candidates = [mine, systems] if account.uid else [systems, mine]
        return next((unit for unit in candidates if self.status(unit) is not None), candidates[0])

    @property
    def _service_file(self) -> str | None:
        """The name in the settings, as the manager spells it."""
        name = self._service
        if name is None or isinstance(self._manager, Launchd) or name.endswith(".service"):
            return name
        return f"{name}.service"


def _has_ended(status: ServiceStatus, earlier: ServiceStatus | None) -> bool:
    """Whether the process of this start has ended: the unit is down, or about to start another."""
    if status.last_exit is None:
        return False
    return not status.active or (earlier is not None and status.last_pid not in (None, earlier.last_pid))
