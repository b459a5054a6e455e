"""The gateway of this host, operated by its process or by the service that owns it."""

import asyncio
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from buddy_common.adapters import process_family, processes
from buddy_common.adapters.config_file import configured_bind, configured_port
from buddy_common.adapters.config_include import read_effective_config
from buddy_common.adapters.finishing import to_its_end
from buddy_common.adapters.gateway_launcher import launch_gateway
from buddy_common.adapters.gateway_log import GatewayLog
from buddy_common.adapters.gateway_owner import owner_of
from buddy_common.adapters.gateway_probe import GatewayProbe
from buddy_common.adapters.gateway_service import GatewayService
from buddy_common.adapters.host_state import FileHostState, recall_port, remember_port
from buddy_common.adapters.openclaw_environment import openclaw_environment
from buddy_common.adapters.openclaw_program import HostOpenClaw
from buddy_common.adapters.openclaw_version import is_old_generation
from buddy_common.adapters.process_tree import MARK
from buddy_common.adapters.service_manager import ServiceManager
from buddy_common.errors import (
    GatewayConfigError,
    GatewayElsewhereError,
    GatewayOfAnotherAccountError,
    StateUnwritableError,
)
from buddy_common.schemas.gateway import GatewayOwner, Ownership, Probe, ServiceUnit
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity, ProcessUsage
from buddy_common.settings import GatewaySettings

# Why each: the pid stays ours on a restart; an operator needs no LAN announcements; a probe of the
# login shell is for desktop apps (OpenClaw's docs/gateway/embedding.md).
_GATEWAY_ENVIRONMENT = {
    "OPENCLAW_NO_RESPAWN": "1",
    "OPENCLAW_DISABLE_BONJOUR": "1",
    "OPENCLAW_EXEC_SHELL_SNAPSHOT": "0",
}
# how long after a process has gone its keeper, or its service manager, may take to record how
RECORD_SECONDS = 2.0
_RECORDED = (GatewayOwner.OURS, GatewayOwner.SYSTEMD, GatewayOwner.LAUNCHD)


# of an earlier process's variables: what says where its state is, and who had started it
_NOT_HANDED_ON = frozenset(
    {
        "OPENCLAW_GATEWAY_PORT", "OPENCLAW_STATE_DIR", "OPENCLAW_CONFIG_PATH", "OPENCLAW_HOME",
        "OPENCLAW_PROFILE", "OPENCLAW_SERVICE_MARKER", "OPENCLAW_SERVICE_KIND",
        "INVOCATION_ID", "JOURNAL_STREAM", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", MARK,
    }
)  # fmt: skip


class HostGateway:
    """Finds, starts, asks and ends the gateway; it survives us, since its keeper does."""

    def __init__(
        self,
        settings: GatewaySettings,
        openclaw: HostOpenClaw,
        *,
        state: FileHostState,
        log_file: Path,
        port_file: Path,
    ) -> None:
        self._settings = settings
        self._openclaw = openclaw
        self._state = state
        self._services = ServiceManager(settings)
        self._service = GatewayService(self._services, state)
        self._log = GatewayLog(log_file)
        self._port_file = port_file
        self._started_port_file = port_file.with_name("started-port.json")
        self._probe = GatewayProbe()
        self._measured: dict[ProcessIdentity, psutil.Process] = {}
        self._owners: dict[ProcessIdentity, Ownership] = {}
        self._ended_unit: ServiceUnit | None = None  # a restart starts what it has stopped
        self._gone_since: dict[ProcessIdentity, float] = {}

    async def port(self) -> int:
        """Return the configured port: our setting, else `gateway.port`, else OpenClaw's default.

        A gateway of ours that runs keeps the port that it was started with, whatever the config says now.
        """
        return await asyncio.to_thread(self._port)

    def _port(self) -> int:
        configured = self._settings.port or self._read_port()
        started_with = recall_port(self._started_port_file)
        if started_with is None or started_with == configured:
            return configured
        listener = processes.find_listener(started_with)
        ours = listener is not None and self._state.is_spawned(listener)
        return started_with if ours else configured

    def _read_port(self) -> int:
        try:
            port = configured_port(read_effective_config(self._settings.config_file))
        except GatewayConfigError:  # a running gateway lives on with its last good config, and its port
            return recall_port(self._port_file) or configured_port(None)
        with suppress(StateUnwritableError):  # a full disk must not blind who only looks
            remember_port(self._port_file, port)
        return port

    async def listener(self) -> ProcessIdentity | None:
        """Return the process that listens on the port, whatever it is."""
        return await asyncio.to_thread(processes.find_listener, await self.port())

    async def probe(self) -> Probe:
        """Ask the health routes; an unreachable gateway is an answer, not an error."""
        return await self._probe.ask(await self.port())

    async def service_process(self) -> ProcessIdentity | None:
        """Return the process that its service has now, whether it listens or not."""
        return await asyncio.to_thread(self._service.process)

    async def owner(self, process: ProcessIdentity) -> GatewayOwner:
        """Return who started the process, and so decides how it is started and stopped."""
        return (await asyncio.to_thread(self._ownership, process)).owner

    def _ownership(self, process: ProcessIdentity) -> Ownership:
        """Ask once: it holds as long as the process lives."""
        known = self._owners.get(process)
        if known is None:
            spawned = process if self._state.is_spawned(process) else None
            known = owner_of(process, spawned=spawned, services=self._services)
            self._owners = {process: known}
        return known

    async def environment(self, process: ProcessIdentity) -> dict[str, str]:
        """Return the variables that the process was given, as far as they can be read."""
        return await asyncio.to_thread(process_family.environment_of, process)

    async def start(
        self, environment: Mapping[str, str], *, lock_descriptors: Sequence[int] = ()
    ) -> ProcessIdentity:
        """Start the gateway: its service, where it has one, else a process that outlives us.

        The locks stay held, even without us, until the new process is on record.

        Raises:
            OpenClawNotFoundError: there is no usable program.
            ServiceManagerError: its service cannot be started.
            GatewayStartError: it could not be executed.
        """
        return await to_its_end(
            asyncio.to_thread(self._start, environment, lock_descriptors=lock_descriptors)
        )

    def _start(self, environment: Mapping[str, str], *, lock_descriptors: Sequence[int]) -> ProcessIdentity:
        started = self._service.start(instead_of=self._ended_unit)
        if started is not None:
            return self._own(*started)
        program = self._openclaw.program()
        remember_port(self._started_port_file, self._settings.port or self._read_port())
        ours = openclaw_environment(program, self._settings) | _GATEWAY_ENVIRONMENT
        return launch_gateway(
            [program.path, "gateway", "run", *self._options(program.version)],
            environment=_handed_on(environment) | ours,
            lock_descriptors=lock_descriptors,
            cwd=self._settings.config_dir,
            log=self._log,
            record=self._state.gateway_file,
            init=self._settings.init,
        )

    def _own(self, process: ProcessIdentity, unit: ServiceUnit) -> ProcessIdentity:
        """Note whose process it is while that is known: of one that has ended, nothing tells."""
        self._owners = {process: Ownership(unit.manager, unit)}
        return process

    async def start_command(self) -> str:
        """Return what `start` runs, as people type it."""
        return await asyncio.to_thread(self._service.start_command) or "openclaw gateway run"

    async def successor(self, process: ProcessIdentity) -> ProcessIdentity | None:
        """Wait for the process that its service starts in the place of one that has ended.

        None: it starts none, or there is no service.
        """
        return await to_its_end(asyncio.to_thread(self._successor, process))

    def _successor(self, process: ProcessIdentity) -> ProcessIdentity | None:
        unit = self._ownership(process).unit
        successor = self._service.successor(unit) if unit is not None else None
        return self._own(successor, unit) if successor is not None and unit is not None else None

    def _options(self, version: str) -> list[str]:
        """Bind to loopback, unless the operator says otherwise: in a container the new generation
        would listen on every address. The old one never does, and with options on its command line it
        restarts at every edit of its config.
        """
        if is_old_generation(version):
            return []
        try:
            bind = configured_bind(read_effective_config(self._settings.config_file))
        except GatewayConfigError:  # it will not start on such a config anyway
            bind = None
        return [] if bind else ["--bind", "loopback"]

    async def belongs_to(self, listener: ProcessIdentity, process: ProcessIdentity) -> bool:
        """Whether the listener is the process that was started, or came from it."""
        return listener == process or await asyncio.to_thread(process_family.descends_from, listener, process)

    async def poll_exit(self, process: ProcessIdentity) -> ProcessExit | None:
        """Return how the process ended, or None while it runs."""
        return await asyncio.to_thread(self._poll_exit, process)

    def _poll_exit(self, process: ProcessIdentity) -> ProcessExit | None:
        owned = self._ownership(process)
        if processes.is_alive(process):
            return None
        recorded = self._state.exit_of(process)
        if recorded is None and owned.unit is not None:
            recorded = self._services.result(owned.unit, pid=process.pid)
        if recorded is not None:
            return recorded
        if owned.owner is GatewayOwner.OURS and not process_family.has_keeper(self._state.gateway_file):
            return self._state.exit_of(process) or ProcessExit()  # nobody is left to write it down
        since = self._gone_since.setdefault(process, time.monotonic())
        if owned.owner in _RECORDED and time.monotonic() - since < RECORD_SECONDS:
            return None  # it is about to be written down
        return ProcessExit()

    async def last_exit(self) -> ProcessExit | None:
        """Return how the last gateway has ended: by its service's word, where it has one."""
        return await asyncio.to_thread(self._service.last_exit) or await self._state.last_exit()

    async def was_ended_by_us(self) -> bool:
        """Whether its service is down since we have stopped it, and nobody has started it since."""
        return await asyncio.to_thread(self._service.was_ended_by_us)

    async def terminate(self, process: ProcessIdentity) -> None:
        """Ask it to end, if it is still the same process.

        Raises:
            GatewayElsewhereError: it runs in another container, where a signal would not be the end of it.
            GatewayOfAnotherAccountError: somebody else runs it, and nothing of ours could take its place.
            ServiceManagerError: its service cannot be stopped.
        """
        await to_its_end(asyncio.to_thread(self._end, process, signal.SIGTERM))

    async def kill(self, process: ProcessIdentity) -> None:
        """End it by force, if it is still the same process.

        Raises:
            GatewayElsewhereError: it runs in another container.
            ServiceManagerError: its service cannot be stopped.
        """
        await to_its_end(asyncio.to_thread(self._end, process, signal.SIGKILL))

    async def resume(self, process: ProcessIdentity) -> None:
        """Let it go on after a signal has stopped it, if it is still the same process.

        Raises:
            GatewayElsewhereError: it runs in another container.
            GatewayOfAnotherAccountError: somebody else runs it.
        """
        await asyncio.to_thread(self._resume, process)

    def _resume(self, process: ProcessIdentity) -> None:
        if self._ownership(process).owner is GatewayOwner.CONTAINER:
            raise GatewayElsewhereError(str(process))
        self._signal(process, signal.SIGCONT)

    def _end(self, process: ProcessIdentity, number: signal.Signals) -> None:
        owned = self._ownership(process)
        if owned.owner is GatewayOwner.CONTAINER:
            raise GatewayElsewhereError(str(process))
        self._ended_unit = owned.unit
        if owned.unit is None:
            self._signal(process, number)
        else:
            self._service.end(process, owned.unit, number)

    def _signal(self, process: ProcessIdentity, number: signal.Signals) -> None:
        account = process_family.foreign_account_of(process)
        if account is not None:
            raise GatewayOfAnotherAccountError(str(process), account=account)
        processes.send_signal(process, number)

    async def hold_down(self) -> bool:
        """Keep its service from starting it, where there is no process now; whether it was about to.

        Raises:
            ServiceManagerError: its service cannot be stopped.
        """
        return await to_its_end(asyncio.to_thread(self._service.hold_down))

    async def usage(self, process: ProcessIdentity) -> ProcessUsage | None:
        """Return what the process uses, or None when it is gone."""
        return await asyncio.to_thread(self._usage, process)

    def _usage(self, process: ProcessIdentity) -> ProcessUsage | None:
        if not processes.is_alive(process):
            self._measured.pop(process, None)
            return None
        first = process not in self._measured
        if first:
            self._measured = {process: psutil.Process(process.pid)}
        return processes.measure(self._measured[process], first=first)

    async def cpu_seconds(self, process: ProcessIdentity) -> float:
        """Return the CPU time that it and its children have used so far."""
        return await asyncio.to_thread(process_family.cpu_seconds, process)

    async def log_position(self) -> int:
        """Return where the gateway's log ends now, in bytes."""
        return await asyncio.to_thread(self._log.end)

    async def log_lines(self, position: int) -> tuple[list[str], int]:
        """Return the complete lines since `position`, without colours, and the new position."""
        return await asyncio.to_thread(self._log.lines, position)

    async def service_lines(
        self, process: ProcessIdentity, position: str | None
    ) -> tuple[list[str], str | None]:
        """Return what its service has on record of it since `position`, and the new position.

        Without a position: the last lines. Nothing where no service keeps any, or none that we may read.
        """
        unit = (await asyncio.to_thread(self._ownership, process)).unit
        if unit is None:
            return [], None
        return await asyncio.to_thread(self._service.lines, process, unit, position=position)

    async def log_command(self, process: ProcessIdentity) -> str | None:
        """Return what people type to see what it said; None where our own log has it."""
        return await asyncio.to_thread(self._log_command, process)

    def _log_command(self, process: ProcessIdentity) -> str | None:
        unit = self._ownership(process).unit
        return None if unit is None else self._services.log_command(unit)

    async def close(self) -> None:
        """Let go of the connections; the gateway is left as it is."""
        await self._probe.close()


def _handed_on(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in _NOT_HANDED_ON}
