"""Start a gateway that has gone, and wait until it is up."""

from collections.abc import Mapping

from buddy_common.usecases.start_gateway import bring_up
from buddy_watchdog.repairs.patient import Patient


async def restart(patient: Patient, environment: Mapping[str, str] | None = None) -> str:
    """Start it unless it runs by now; return what came of it.

    Raises:
        BuddyError: it did not come up; the message has its own last words.
    """
    host = patient.host
    started = await bring_up(
        host.gateway,
        host.state,
        progress=patient.notes,
        patience=patient.patience,
        environment=environment,
        lock_descriptors=patient.notes.lock_descriptors,
    )
    what = "It was up already" if started.alreadyRunning else "It was started"
    return (
        f"{what} (pid {started.pid}) and is {'ready' if started.ready else 'up'} after {started.seconds} s."
    )
