"""The real objects of one host plane, for the services that run on it."""

from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis

from buddy_common.adapters.gateway_host import HostGateway
from buddy_common.adapters.host_state import FileHostState
from buddy_common.adapters.host_system import LocalSystem
from buddy_common.adapters.openclaw_program import HostOpenClaw
from buddy_common.adapters.read_model import ReadModel
from buddy_common.settings import GatewaySettings, HomeSettings, OpenClawSettings


@dataclass(frozen=True)
class HostPlane:
    """Everything on this host that a job or a probe acts on."""

    node: str
    gateway: HostGateway
    state: FileHostState
    system: LocalSystem
    openclaw: HostOpenClaw
    read_model: ReadModel
    lifecycle_lock: Path
    gateway_settings: GatewaySettings
    redis: Redis

    async def close(self) -> None:
        """Let go of the connections; nothing on the host is touched."""
        await self.redis.aclose()


def build_host_plane(
    redis: Redis, *, home: HomeSettings, gateway: GatewaySettings, openclaw: OpenClawSettings
) -> HostPlane:
    """Wire the adapters of this host together; nothing is started or connected."""
    program = HostOpenClaw(openclaw, home.runtime)
    return HostPlane(
        node=home.node,
        gateway=HostGateway(gateway, program, log_file=home.logs / f"gateway-{home.node}.log"),
        state=FileHostState(home.node_state),
        system=LocalSystem(gateway.config_dir),
        openclaw=program,
        read_model=ReadModel(redis),
        lifecycle_lock=home.node_state / "lifecycle.lock",
        gateway_settings=gateway,
        redis=redis,
    )
