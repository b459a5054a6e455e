"""The gateway as it is before a change, once it is through with whatever it was about to do."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass

from buddy_common.errors import GatewayBusyError, GatewayStartError
from buddy_common.ports import Gateway, HostState, Progress
from buddy_common.schemas.gateway import Probe
from buddy_common.schemas.processes import ProcessIdentity
from buddy_common.usecases.find_gateway import FoundGateway, find_gateway
from buddy_common.usecases.follow_startup import (
    CPU_LOOK_SECONDS,
    POLL_SECONDS,
    PROGRESS_CPU_SECONDS,
    Patience,
    follow_startup,
)

PROBES = 3
# without an answer and without work for so long, it hangs
HANGS_SECONDS = 8.0
# one long task may hold up its event loop for half a minute
BUSY_SECONDS = 60.0


@dataclass
class Witness:
    """The gateway as it is before a change, and its word since then."""

    gateway: Gateway
    process: ProcessIdentity | None
    environment: dict[str, str]
    position: int
    service_position: str | None

    async def lines(self) -> list[str]:
        """Return what it has said since the last look."""
        lines, self.position = await self.gateway.log_lines(self.position)
        if self.process is not None:
            more, self.service_position = await self.gateway.service_lines(
                self.process, self.service_position
            )
            lines += more
        return lines


async def look_when_settled(
    gateway: Gateway, host: HostState, *, progress: Progress, patience: Patience
) -> Witness:
    """Look at the gateway; one that starts, restarts or is busy is waited for, one that hangs is not.

    It takes no change on its way down, and may miss an edit of the file on its way up. A busy one would
    read the file when nobody looks any more, and may refuse it then.

    Raises:
        GatewayBusyError: it works, and answers nothing.
    """
    position = await gateway.log_position()
    found = await find_gateway(gateway, host)
    probe = await _probe(gateway)
    if found.process is not None and found.listens and _is_silent(probe):
        await progress.stage("waiting for the gateway, which does not answer", 15)
        probe = await _answer_of(gateway, found.process)
    if found.process is not None and _is_on_its_way(found, probe):
        await progress.stage("waiting for the gateway, which is not up yet", 15)
        with suppress(GatewayStartError):  # then the change is made without it
            await follow_startup(
                gateway,
                found.process,
                progress=progress,
                patience=patience,
                position=position,
                fresh=False,
                holds_down=False,
            )
    return await look_before(gateway, host)


def _is_silent(probe: Probe) -> bool:
    return not (probe.started or probe.live or probe.draining)


async def _answer_of(gateway: Gateway, process: ProcessIdentity) -> Probe:
    """Wait for the answer of one that is busy, and return it; one that hangs has none."""
    began = moved_at = looked_at = time.monotonic()
    used = await gateway.cpu_seconds(process)
    while _is_silent(probe := await gateway.probe()) and await gateway.poll_exit(process) is None:
        now = time.monotonic()
        if now - looked_at >= CPU_LOOK_SECONDS:
            looked_at = now
            before, used = used, await gateway.cpu_seconds(process)
            moved_at = now if used - before >= PROGRESS_CPU_SECONDS else moved_at
        if now - moved_at >= HANGS_SECONDS:
            break
        if now - began >= BUSY_SECONDS:
            raise GatewayBusyError(BUSY_SECONDS)
        await asyncio.sleep(POLL_SECONDS)
    return probe


def _is_on_its_way(found: FoundGateway, probe: Probe) -> bool:
    return not probe.started and (probe.draining or probe.live or not found.listens)


async def look_before(gateway: Gateway, host: HostState) -> Witness:
    """Look at the gateway; `process` is None where none is up that could be asked to take a change."""
    found = await find_gateway(gateway, host)
    process = found.process if found.listens and (await _probe(gateway)).started else None
    witness = Witness(gateway, process, {}, await gateway.log_position(), None)
    if process is not None:
        witness.environment = await gateway.environment(process)
        _, witness.service_position = await gateway.service_lines(process, None)
    return witness


async def _probe(gateway: Gateway) -> Probe:
    """Return what it says of itself; one silence may be a busy moment."""
    probe = await gateway.probe()
    for _ in range(PROBES - 1):
        if probe.started or probe.draining:
            break
        await asyncio.sleep(POLL_SECONDS)
        probe = await gateway.probe()
    return probe
