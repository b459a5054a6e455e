"""Where the gateway of this host is, and how it lets us in."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from buddy_common.adapters.gateway_access import find_token, may_see_token
from buddy_common.adapters.gateway_device import GatewayDevice, load_device
from buddy_common.adapters.gateway_host import HostGateway
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.host_state import FileHostState
from buddy_common.adapters.openclaw_config import Config
from buddy_common.errors import GatewayRefusedError, GatewayUnreachableError
from buddy_common.schemas.processes import ProcessIdentity
from buddy_common.usecases.find_gateway import find_gateway


@dataclass(frozen=True)
class GatewayPlace:
    """Which process listens, how it is reached, and what it lets us in by."""

    process: ProcessIdentity
    port: int
    token: str | None = field(repr=False)
    device: GatewayDevice = field(repr=False)


async def gateway_place(host: HostPlane, config: Config) -> tuple[int, str | None, GatewayDevice]:
    """Return port, token and our key; the token is for the gateway only, never for who else listens.

    Raises:
        GatewayUnreachableError: no gateway listens.
        GatewayRefusedError: what listens is none of ours.
    """
    place = await find_place(
        host.gateway,
        host.state,
        config,
        config_dir=host.gateway_settings.config_dir,
        device_file=host.device_file,
    )
    return place.port, place.token, place.device


async def find_place(
    gateway: HostGateway, state: FileHostState, config: Config, *, config_dir: Path, device_file: Path
) -> GatewayPlace:
    """Return where the gateway is; its token is for it only, never for who else listens.

    Raises:
        GatewayUnreachableError: no gateway listens.
        GatewayRefusedError: what listens is none of ours.
    """
    port = await gateway.port()
    found = await find_gateway(gateway, state)
    if found.process is None or not found.listens:
        raise GatewayUnreachableError("No gateway listens on its port.")
    if not await asyncio.to_thread(may_see_token, found.process, port=port, config_dir=config_dir):
        raise GatewayRefusedError(f"{found.process} is none of ours, so it gets no token", code="FOREIGN")
    environment = await gateway.environment(found.process)
    device = await asyncio.to_thread(load_device, device_file)
    return GatewayPlace(found.process, port, find_token(config, environment), device)
