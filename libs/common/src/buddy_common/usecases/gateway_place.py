"""Where this host's gateway is reached, and with which token and key."""

import asyncio

from buddy_common.adapters.gateway_access import find_token, may_see_token
from buddy_common.adapters.gateway_device import GatewayDevice, load_device
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.openclaw_config import Config
from buddy_common.errors import GatewayRefusedError, GatewayUnreachableError
from buddy_common.usecases.find_gateway import find_gateway


async def gateway_place(host: HostPlane, config: Config) -> tuple[int, str | None, GatewayDevice]:
    """Return port, token and our key; the token is for the gateway only, never for who else listens.

    Raises:
        GatewayUnreachableError: no gateway listens.
        GatewayRefusedError: what listens is none of ours.
    """
    port = await host.gateway.port()
    found = await find_gateway(host.gateway, host.state)
    if found.process is None or not found.listens:
        raise GatewayUnreachableError("No gateway listens on its port.")
    config_dir = host.gateway_settings.config_dir
    if not await asyncio.to_thread(may_see_token, found.process, port=port, config_dir=config_dir):
        raise GatewayRefusedError(f"{found.process} is none of ours, so it gets no token", code="FOREIGN")
    environment = await host.gateway.environment(found.process)
    device = await asyncio.to_thread(load_device, host.device_file)
    return port, find_token(config, environment), device
