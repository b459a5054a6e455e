"""Answer from the node's read model: no process is spawned, nothing is written."""

import time

from buddy_api.schemas import OpenClawStatus, OpenClawVersion, guide_duration, guide_time
from buddy_common.adapters.read_model import ReadEntry, ReadModel
from buddy_common.errors import NotReportedError
from buddy_common.schemas.gateway import GatewaySnapshot, GatewayState, OpenClawInstall
from buddy_common.schemas.resources import Resource
from buddy_common.schemas.system import SystemInfo

_MB = 1024 * 1024
_HEALTH = {
    GatewayState.RUNNING: "Healthy",
    GatewayState.STARTING: "Starting",
    GatewayState.STOPPED: "Stopped",
    GatewayState.DEGRADED: "Degraded",
    GatewayState.CONFIG_ERROR: "Unhealthy",
}
# where a job has looked since the watchdog did, or no watchdog is there
_VERDICTS = {
    GatewayState.RUNNING: "ready",
    GatewayState.CONFIG_ERROR: "config_error",
}


async def read_status(read_model: ReadModel, *, node: str) -> OpenClawStatus:
    """Return the gateway's state in the guide's shape.

    Raises:
        NotReportedError: the node has published nothing yet.
        BrokerUnavailableError: the read model cannot be reached.
    """
    entry = await _get(read_model, node, Resource.GATEWAY)
    gateway = GatewaySnapshot.model_validate_json(entry.data)
    install = OpenClawInstall.model_validate_json((await _get(read_model, node, Resource.OPENCLAW)).data)
    started = gateway.started_at
    memory_mb = round(gateway.rss_bytes / _MB, 1)
    return OpenClawStatus(
        version=install.version,
        status=gateway.state,
        uptime=guide_duration(time.time() - started.timestamp()) if started else None,
        cpuPercent=gateway.cpu_percent,
        memoryMB=memory_mb,
        diskUsagePercent=gateway.disk_percent,
        installedAt=guide_time(install.installed_at) if install.installed_at else None,
        health=_HEALTH.get(gateway.state, "Unhealthy"),
        pid=gateway.pid,
        port=gateway.port,
        node=node,
        verdict=gateway.verdict or _VERDICTS.get(gateway.state, gateway.state.lower()),
        reason=gateway.reason,
        ready=gateway.probe.ready,
        failing=gateway.probe.failing,
        eventLoopDelayP99Ms=gateway.probe.event_loop_delay_p99_ms,
        desired=gateway.desired,
        rssMB=memory_mb,
        heartbeat=guide_time(gateway.observed_at),
        updated_at=guide_time(entry.head.updated_at),
        age_ms=int(entry.head.age_seconds * 1000),
        stale=entry.head.stale,
    )


async def read_version(read_model: ReadModel, *, node: str) -> OpenClawVersion:
    """Return which OpenClaw the node has.

    Raises:
        NotReportedError: the node has published nothing yet.
        BrokerUnavailableError: the read model cannot be reached.
    """
    entry = await _get(read_model, node, Resource.OPENCLAW)
    install = OpenClawInstall.model_validate_json(entry.data)
    return OpenClawVersion(
        installed=install.installed,
        version=install.version,
        path=install.path,
        problem=install.problem,
    )


async def read_system(read_model: ReadModel, *, node: str) -> SystemInfo:
    """Return the figures of the node's machine.

    Raises:
        NotReportedError: the node has published nothing yet.
        BrokerUnavailableError: the read model cannot be reached.
    """
    return SystemInfo.model_validate_json((await _get(read_model, node, Resource.SYSTEM)).data)


async def _get(read_model: ReadModel, node: str, resource: Resource) -> ReadEntry:
    entry = await read_model.get(node, resource)
    if entry is None:
        raise NotReportedError(node, resource)
    return entry
