"""Publish what a host plane sees, so that the api can answer without touching the host."""

from buddy_common.ports import Gateway, HostState, HostSystem, OpenClaw, ReadModelWriter
from buddy_common.schemas.gateway import GatewaySnapshot
from buddy_common.schemas.resources import Resource
from buddy_common.schemas.system import GatewayFigures
from buddy_common.usecases.observe_gateway import observe_gateway

_MB = 1024 * 1024


async def publish_node(
    read_model: ReadModelWriter,
    *,
    node: str,
    gateway: Gateway,
    host: HostState,
    system: HostSystem,
    openclaw: OpenClaw,
) -> GatewaySnapshot:
    """Look at gateway, machine and program once and publish all three.

    Raises:
        BrokerUnavailableError: the read model cannot be reached.
    """
    info = await system.read()
    snapshot = await observe_gateway(gateway, host, node=node, disk_percent=info.disk.percent)
    if snapshot.pid is not None:
        info.gateway = GatewayFigures(
            pid=snapshot.pid,
            cpuPercent=snapshot.cpu_percent,
            rssMB=round(snapshot.rss_bytes / _MB, 1),
        )
    await read_model.put(node, Resource.GATEWAY, snapshot, source="process")
    await read_model.put(node, Resource.SYSTEM, info, source="process")
    await read_model.put(node, Resource.OPENCLAW, await openclaw.inspect(), source="file")
    return snapshot
