"""Look at the gateway once, from its own host."""

from datetime import UTC, datetime, timedelta

from buddy_common.ports import Gateway, HostState, HostSystem
from buddy_common.schemas.gateway import Desired, GatewaySnapshot, GatewayState, Probe
from buddy_common.schemas.processes import ProcessUsage
from buddy_common.usecases.find_gateway import find_gateway

# a listener that is silent for longer than any cold start took is not starting any more
STARTING_SECONDS = 300.0
# EX_CONFIG: config or state blocks the start (OpenClaw's docs/gateway/embedding.md)
CONFIG_EXIT_CODE = 78


async def observe_gateway(
    gateway: Gateway, host: HostState, *, node: str, system: HostSystem
) -> GatewaySnapshot:
    """Return what the gateway is and uses at this moment."""
    found = await find_gateway(gateway, host)
    process = found.process
    probe = await gateway.probe() if found.listens else Probe(live=False, ready=False)
    usage = await gateway.usage(process) if process is not None else None
    desired = await host.desired()
    now = datetime.now(UTC)
    return GatewaySnapshot(
        node=node,
        observed_at=now,
        state=_state(usage, probe, desired=desired, exit_code=await host.exit_code()),
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


def _state(
    usage: ProcessUsage | None, probe: Probe, *, desired: Desired | None, exit_code: int | None
) -> GatewayState:
    if usage is None:
        if desired is not Desired.RUNNING:
            return GatewayState.STOPPED
        return GatewayState.CONFIG_ERROR if exit_code == CONFIG_EXIT_CODE else GatewayState.CRASHED
    if probe.ready:
        return GatewayState.RUNNING
    young = usage.age_seconds < STARTING_SECONDS
    if probe.live and not young:
        return GatewayState.DEGRADED
    return GatewayState.STARTING if young else GatewayState.HUNG
