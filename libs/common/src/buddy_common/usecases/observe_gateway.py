"""Look at the gateway once, from its own host."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from buddy_common.ports import Gateway, HostState, HostSystem
from buddy_common.schemas.gateway import Desired, GatewaySnapshot, GatewayState, Probe
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity, ProcessUsage
from buddy_common.usecases.find_gateway import FoundGateway, find_gateway

# a listener that is silent for longer than any cold start took is not starting any more
STARTING_SECONDS = 300.0
# EX_CONFIG: config or state blocks the start (OpenClaw's docs/gateway/embedding.md)
CONFIG_EXIT_CODE = 78


@dataclass(frozen=True)
class Observation:
    """A snapshot, and what it was taken from."""

    snapshot: GatewaySnapshot
    process: ProcessIdentity | None
    listens: bool
    usage: ProcessUsage | None
    ended: ProcessExit | None  # of the last process, where there is none now


async def observe_gateway(
    gateway: Gateway, host: HostState, *, node: str, system: HostSystem, busy: bool
) -> GatewaySnapshot:
    """Return what the gateway is and uses at this moment.

    `busy`: somebody of ours starts, stops or replaces it just now.
    """
    return (await look_closely(gateway, host, node=node, system=system, busy=busy)).snapshot


async def look_closely(
    gateway: Gateway, host: HostState, *, node: str, system: HostSystem, busy: bool
) -> Observation:
    """Return the same together with what it was taken from."""
    found, usage, ended = await _find(gateway, host)
    if usage is None and ended is None:  # one that starts just now takes the place of the last one's end
        found, usage, ended = await _find(gateway, host)
    process = found.process
    answers = found.listens and not (usage is not None and usage.stopped)  # a frozen one lets probes wait
    probe = await gateway.probe() if answers else Probe(live=False, ready=False)
    desired = await host.desired()
    now = datetime.now(UTC)
    snapshot = GatewaySnapshot(
        node=node,
        observed_at=now,
        state=_state(usage, probe, desired=desired, ended=ended, busy=busy),
        owner=await gateway.owner(process) if process and usage else None,
        desired=desired,
        port=await gateway.port(),
        pid=process.pid if process and usage else None,
        started_at=now - timedelta(seconds=usage.age_seconds) if usage else None,
        cpu_percent=usage.cpu_percent if usage else 0.0,
        rss_bytes=usage.rss_bytes if usage else 0,
        disk_percent=await system.disk_percent(),
        probe=probe,
        foreign_listener=str(found.foreign) if found.foreign else None,
    )
    gone = process is None or usage is None
    return Observation(snapshot, None if gone else process, found.listens and not gone, usage, ended)


async def _find(
    gateway: Gateway, host: HostState
) -> tuple[FoundGateway, ProcessUsage | None, ProcessExit | None]:
    found = await find_gateway(gateway, host)
    usage = await gateway.usage(found.process) if found.process is not None else None
    return found, usage, await gateway.last_exit() if usage is None else None


def _state(
    usage: ProcessUsage | None,
    probe: Probe,
    *,
    desired: Desired | None,
    ended: ProcessExit | None,
    busy: bool,
) -> GatewayState:
    if usage is None:
        return _state_without_process(desired=desired, ended=ended, busy=busy)
    if probe.ready:
        return GatewayState.RUNNING
    young = usage.age_seconds < STARTING_SECONDS
    if probe.live and not young:
        return GatewayState.DEGRADED
    return GatewayState.STARTING if young else GatewayState.HUNG


def _state_without_process(*, desired: Desired | None, ended: ProcessExit | None, busy: bool) -> GatewayState:
    if desired is not Desired.RUNNING:
        return GatewayState.STOPPED
    if busy:  # between the stop and the start of a restart
        return GatewayState.STARTING
    blocked = ended is not None and ended.code == CONFIG_EXIT_CODE
    return GatewayState.CONFIG_ERROR if blocked else GatewayState.CRASHED
