"""Find the gateway's process, and tell it from a stranger on its port."""

from dataclasses import dataclass

from buddy_common.ports import Gateway, HostState
from buddy_common.schemas.processes import ProcessIdentity


@dataclass(frozen=True)
class FoundGateway:
    """What is on the gateway's port, or on its way there."""

    process: ProcessIdentity | None
    listens: bool
    foreign: ProcessIdentity | None = None  # a program that is not OpenClaw and has the port


async def find_gateway(gateway: Gateway, host: HostState) -> FoundGateway:
    """Return the gateway's process, even one that does not listen yet, whoever started it."""
    listener = await gateway.listener()
    if listener is not None and listener.is_gateway:
        return FoundGateway(listener, listens=True)
    served = await gateway.service_process()
    if served is not None:
        return FoundGateway(served, listens=False, foreign=listener)
    spawned = await host.spawned()
    if spawned is not None and await gateway.poll_exit(spawned) is not None:
        spawned = None
    return FoundGateway(spawned, listens=False, foreign=listener)
