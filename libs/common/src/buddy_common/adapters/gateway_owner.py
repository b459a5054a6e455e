"""Who keeps the gateway's process, and so decides how it is started and stopped.

Every call may run a program and wait for it: call from a thread, never from the event loop.
"""

from buddy_common.adapters.cgroups import is_in_another_container
from buddy_common.adapters.service_manager import ServiceManager
from buddy_common.schemas.gateway import GatewayOwner, Ownership
from buddy_common.schemas.processes import ProcessIdentity


def owner_of(
    process: ProcessIdentity, *, spawned: ProcessIdentity | None, services: ServiceManager
) -> Ownership:
    """Return who keeps the process: a fact that cannot be read never raises, and speaks for `plain`.

    The answer holds as long as the process lives.
    """
    if process == spawned:
        return Ownership(GatewayOwner.OURS)
    if is_in_another_container(process.pid):
        return Ownership(GatewayOwner.CONTAINER)
    unit = services.unit_of(process)
    if unit is not None:
        return Ownership(unit.manager, unit)
    return Ownership(GatewayOwner.PLAIN)
