"""The real objects of a proxy process."""

from dataclasses import dataclass

from buddy_common.adapters.access import Authenticator
from buddy_common.adapters.gateway_host import HostGateway
from buddy_common.adapters.host_plane import build_gateway
from buddy_common.adapters.host_state import FileHostState
from buddy_common.adapters.openclaw_program import HostOpenClaw
from buddy_common.adapters.secret_file import resolve_token
from buddy_common.db.engine import Database, open_engine
from buddy_common.stopping import Stopping
from buddy_proxy.clients import Clients
from buddy_proxy.config import ProxyConfig
from buddy_proxy.running import Running
from buddy_proxy.target import Target
from buddy_proxy.upstream import Upstream


@dataclass(frozen=True)
class Wiring:
    """Everything that requests and sockets share."""

    config: ProxyConfig
    database: Database
    authenticator: Authenticator
    clients: Clients
    gateway: HostGateway
    target: Target
    upstream: Upstream
    running: Running
    stopping: Stopping

    async def close(self) -> None:
        """Let go of connections and threads."""
        await self.upstream.close()
        await self.gateway.close()
        self.database.engine.dispose()


def build_wiring(config: ProxyConfig) -> Wiring:
    """Wire a proxy process; nothing is connected yet."""
    database = Database(open_engine(config.database.resolve(config.home.home)))
    state = FileHostState(config.home.node_state)
    program = HostOpenClaw(config.openclaw, config.home.runtime)
    gateway = build_gateway(config.gateway, program, state=state, home=config.home)
    stopping = Stopping()
    return Wiring(
        config=config,
        database=database,
        authenticator=Authenticator(resolve_token(config.auth, config.home), database),
        clients=Clients(limit=config.proxy.connections_per_client),
        gateway=gateway,
        target=Target(
            gateway,
            state,
            config_file=config.gateway.config_file,
            device_file=config.home.node_state / "panel-device.key",
        ),
        upstream=Upstream(max_frame_bytes=config.proxy.max_frame_bytes),
        running=Running(),
        stopping=stopping,
    )
