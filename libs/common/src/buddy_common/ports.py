"""What use cases need from the outside, so that adapters and fakes can stand in for each other."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from pydantic import BaseModel

from buddy_common.schemas.gateway import Desired, GatewayOwner, OpenClawInstall, Probe
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity, ProcessUsage
from buddy_common.schemas.system import SystemInfo


class Caller(Protocol):
    """Who asks for a change, for its row and for the audit."""

    @property
    def name(self) -> str:
        """The account."""
        ...

    @property
    def address(self) -> str | None:
        """Where the request came from."""
        ...


class Progress(Protocol):
    """Where a running job tells how far it is."""

    async def stage(self, name: str, percent: int) -> None:
        """Say what happens now and how much of the job is done."""
        ...

    async def line(self, text: str) -> None:
        """Add one line to the job's output."""
        ...

    async def command(self, text: str) -> None:
        """Name the program that the job runs."""
        ...


class CutShort(Progress, Protocol):
    """A job that walks its way back, and says what stands, where it is cut off in the middle."""

    stopping: bool  # the worker stops: there are seconds for the way back, not minutes
    left: str | None  # what stands after it, for people

    def is_cut_off(self) -> None:
        """Remember what it did then: the way back has stages, too."""
        ...


class Runs(Progress, Protocol):
    """A job, or a repair, that runs programs while it holds locks."""

    @property
    def lock_descriptors(self) -> Sequence[int]:
        """The locks that a program which must not outlive them is given."""
        ...

    async def runs(self, process: ProcessIdentity) -> None:
        """Record the process group that is about to run, for whoever has to end it."""
        ...


class Gateway(Protocol):
    """One gateway on this host: its process, its port, its health routes, its log."""

    async def port(self) -> int:
        """Return the port that the gateway is configured for, read anew each time."""
        ...

    async def listener(self) -> ProcessIdentity | None:
        """Return the process that listens on the port, whatever it is; never a client of it."""
        ...

    async def probe(self) -> Probe:
        """Ask the health routes; an unreachable gateway is an answer, not an error."""
        ...

    async def service_process(self) -> ProcessIdentity | None:
        """Return the process that its service has now, whether it listens or not."""
        ...

    async def owner(self, process: ProcessIdentity) -> GatewayOwner:
        """Return who started the process, and so decides how it is started and stopped."""
        ...

    async def environment(self, process: ProcessIdentity) -> dict[str, str]:
        """Return the variables that the process was given, as far as they can be read."""
        ...

    async def start(
        self, environment: Mapping[str, str], *, lock_descriptors: Sequence[int] = ()
    ) -> ProcessIdentity:
        """Start the gateway: its service, where it has one, else a process that outlives us.

        `environment` is what an earlier process had; ours goes before it. The locks stay held, even
        without us, until the new process is on record.
        """
        ...

    async def start_command(self) -> str:
        """Return what `start` runs, as people type it."""
        ...

    async def successor(self, process: ProcessIdentity) -> ProcessIdentity | None:
        """Wait for the process that its service starts in the place of one that has ended.

        None: it starts none, or there is no service.
        """
        ...

    async def belongs_to(self, listener: ProcessIdentity, process: ProcessIdentity) -> bool:
        """Whether the listener is the process that was started, or came from it."""
        ...

    async def poll_exit(self, process: ProcessIdentity) -> ProcessExit | None:
        """Return how the process ended, or None while it runs."""
        ...

    async def last_exit(self) -> ProcessExit | None:
        """Return how the gateway that was started last has ended, None while it runs."""
        ...

    async def terminate(self, process: ProcessIdentity) -> None:
        """Ask it to end, if it is still the same process."""
        ...

    async def kill(self, process: ProcessIdentity) -> None:
        """End it by force, if it is still the same process."""
        ...

    async def resume(self, process: ProcessIdentity) -> None:
        """Let it go on after a signal has stopped it, if it is still the same process."""
        ...

    async def hold_down(self) -> bool:
        """Keep its service from starting it, where there is no process now; whether it was about to."""
        ...

    async def usage(self, process: ProcessIdentity) -> ProcessUsage | None:
        """Return what the process uses, or None when it is gone."""
        ...

    async def cpu_seconds(self, process: ProcessIdentity) -> float:
        """Return the CPU time that it and its children have used so far."""
        ...

    async def log_position(self) -> int:
        """Return where the gateway's log ends now, in bytes."""
        ...

    async def log_lines(self, position: int) -> tuple[list[str], int]:
        """Return the complete lines since `position`, without colours, and the new position."""
        ...

    async def service_lines(
        self, process: ProcessIdentity, position: str | None
    ) -> tuple[list[str], str | None]:
        """Return what its service has on record of it since `position`, and the new position.

        Without a position: the last lines. Nothing where no service keeps any, or none that we may read.
        """
        ...

    async def log_command(self, process: ProcessIdentity) -> str | None:
        """Return what people type to see what it said; None where our own log has it."""
        ...


class HostState(Protocol):
    """What a host plane remembers about its gateway, without broker or database."""

    async def desired(self) -> Desired | None:
        """Return what the operator last asked for."""
        ...

    async def set_desired(self, desired: Desired) -> None:
        """Remember what the operator asked for; survives a crash of anything."""
        ...

    async def spawned(self) -> ProcessIdentity | None:
        """Return the gateway process that was started last, dead or alive; None after a reboot."""
        ...


class OpenClaw(Protocol):
    """The OpenClaw program of this host."""

    async def inspect(self) -> OpenClawInstall:
        """Return where it is and which version; never raises for a missing program."""
        ...


class HostSystem(Protocol):
    """The machine."""

    async def read(self) -> SystemInfo:
        """Return its figures now."""
        ...

    async def disk_percent(self) -> float:
        """Return how full the file system of OpenClaw's state is."""
        ...


class ReadModelWriter(Protocol):
    """Where a host plane publishes what it sees."""

    async def put(
        self, node: str, resource: str, value: BaseModel, *, source: str, fresh_seconds: float
    ) -> None:
        """Publish a resource of a node; without news for `fresh_seconds` it counts as stale."""
        ...
