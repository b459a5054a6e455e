"""A gateway as use cases see it, that says and answers what a test has written down."""

from collections.abc import Iterator

from buddy_common.schemas.gateway import GatewayOwner, Probe
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity

PROCESS = ProcessIdentity(pid=4711, started=1.0, name="openclaw-gateway", is_gateway=True)
UP, DOWN = Probe(live=True, started=True, ready=True), Probe(live=False, ready=False)


class SaidGateway:
    """A gateway that says one line after the other, and answers probes in turn; the last answer stays."""

    def __init__(
        self, *lines: str, probes: tuple[Probe, ...] = (UP,), ends: ProcessExit | None = None
    ) -> None:
        self._lines: Iterator[str] = iter(lines)
        self._probes = list(probes)
        self._ends = ends
        self.held_down = False
        self.probed = 0
        self.ends_when_polled = 0  # at which look it is gone
        self._polled = 0
        self.listens = True

    async def poll_exit(self, _process: ProcessIdentity) -> ProcessExit | None:
        self._polled += 1
        if self._polled == self.ends_when_polled:
            self._ends = ProcessExit(code=1, signal=None)
        return self._ends

    async def log_lines(self, position: int) -> tuple[list[str], int]:
        line = next(self._lines, None)
        return ([] if line is None else [line]), position + 1

    async def service_lines(
        self, _process: ProcessIdentity, position: str | None
    ) -> tuple[list[str], str | None]:
        return [], position

    async def probe(self) -> Probe:
        self.probed += 1
        return self._probes.pop(0) if len(self._probes) > 1 else self._probes[0]

    async def listener(self) -> ProcessIdentity | None:
        return PROCESS if self.listens else None

    async def belongs_to(self, listener: ProcessIdentity, process: ProcessIdentity) -> bool:
        return listener == process

    async def owner(self, _process: ProcessIdentity) -> GatewayOwner:
        return GatewayOwner.PLAIN

    async def cpu_seconds(self, _process: ProcessIdentity) -> float:
        return 0.0

    async def successor(self, _process: ProcessIdentity) -> ProcessIdentity | None:
        return None

    async def hold_down(self) -> bool:
        self.held_down = True
        return True

    async def log_position(self) -> int:
        return 0

    async def environment(self, _process: ProcessIdentity) -> dict[str, str]:
        return {}

    async def service_process(self) -> ProcessIdentity | None:
        return None

    async def log_command(self, _process: ProcessIdentity) -> str | None:
        return None
