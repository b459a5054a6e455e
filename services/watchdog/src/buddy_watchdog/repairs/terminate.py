"""End a gateway that hangs, and start it anew."""

from buddy_common.usecases.stop_gateway import end_gateway
from buddy_watchdog.repairs.patient import Patient
from buddy_watchdog.repairs.restart import restart


async def terminate_and_restart(patient: Patient) -> str:
    """Ask it to end, force it where it does not, and start a new one with the same variables.

    Raises:
        BuddyError: it cannot be ended, or the new one did not come up.
    """
    host, process = patient.host, patient.evidence.process
    environment = await host.gateway.environment(process) if process is not None else {}
    stopped = await end_gateway(
        host.gateway,
        host.state,
        progress=patient.notes,
        drain_seconds=host.gateway_settings.drain_seconds,
        force=True,
    )
    how = "by force" if stopped.killed else "by itself"
    return f"The old process (pid {stopped.pid}) ended {how}. {await restart(patient, environment)}"
