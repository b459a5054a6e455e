"""Publish what a host plane sees, so that the api can answer without touching the host."""

from buddy_common.ports import HostSystem, OpenClaw, ReadModelWriter
from buddy_common.schemas.gateway import GatewaySnapshot
from buddy_common.schemas.resources import Resource
from buddy_common.schemas.system import GatewayFigures

_MB = 1024 * 1024


async def publish_gateway(
    read_model: ReadModelWriter, snapshot: GatewaySnapshot, openclaw: OpenClaw, *, fresh_seconds: float
) -> None:
    """Publish a look at the gateway, and which program it is.

    Raises:
        BrokerUnavailableError: the read model cannot be reached.
    """
    install = await openclaw.inspect()
    for resource, value, source in (
        (Resource.OPENCLAW, install, "file"),
        (Resource.GATEWAY, snapshot, "process"),
    ):
        await read_model.put(snapshot.node, resource, value, source=source, fresh_seconds=fresh_seconds)


async def publish_system(
    read_model: ReadModelWriter, snapshot: GatewaySnapshot, system: HostSystem, *, fresh_seconds: float
) -> None:
    """Publish a look at the machine; the share of the gateway in it comes from `snapshot`.

    Raises:
        BrokerUnavailableError: the read model cannot be reached.
    """
    info = await system.read()
    if snapshot.pid is not None:
        info.gateway = GatewayFigures(
            pid=snapshot.pid,
            cpuPercent=snapshot.cpu_percent,
            rssMB=round(snapshot.rss_bytes / _MB, 1),
        )
    await read_model.put(snapshot.node, Resource.SYSTEM, info, source="process", fresh_seconds=fresh_seconds)
