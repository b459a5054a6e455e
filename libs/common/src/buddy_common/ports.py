"""What use cases need from the outside, so that adapters and fakes can stand in for each other."""

from typing import Protocol

from pydantic import BaseModel

from buddy_common.schemas.gateway import Desired, OpenClawInstall, Probe
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity, ProcessUsage
from buddy_common.schemas.system import SystemInfo


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

    async def spawn(self) -> ProcessIdentity:
        """Start `openclaw gateway run` in a session of its own."""
        ...

    async def poll_exit(self, process: ProcessIdentity) -> ProcessExit | None:
        """Return how the process ended, or None while it runs."""
        ...

    async def terminate(self, process: ProcessIdentity) -> None:
        """Send SIGTERM, if it is still the same process."""
        ...

    async def kill(self, process: ProcessIdentity) -> None:
        """Send SIGKILL, if it is still the same process."""
        ...

    async def usage(self, process: ProcessIdentity) -> ProcessUsage | None:
        """Return what the process uses, or None when it is gone."""
        ...

    async def log_position(self) -> int:
        """Return where the gateway's log ends now, in bytes."""
        ...

    async def log_lines(self, position: int) -> tuple[list[str], int]:
        """Return the complete lines since `position`, without colours, and the new position."""
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
        """Return the gateway process that was started last, dead or alive."""
        ...

    async def set_spawned(self, process: ProcessIdentity) -> None:
        """Remember the gateway process that was just started."""
        ...

    async def exit_code(self) -> int | None:
        """Return with which code the last start failed, None when it did not, or was killed."""
        ...

    async def set_exit_code(self, code: int | None) -> None:
        """Remember how a start failed; the next start forgets it."""
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
