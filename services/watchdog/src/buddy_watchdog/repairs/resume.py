"""Let a gateway go on that a signal has stopped: no chat and no session is lost."""

import asyncio

from buddy_common.errors import BuddyError
from buddy_common.schemas.processes import ProcessIdentity
from buddy_watchdog.evidence import seconds_after_boot
from buddy_watchdog.repairs.patient import Patient
from buddy_watchdog.repairs.terminate import terminate_and_restart

ANSWER_SECONDS = 10.0  # what it has to catch up with first
POLL_SECONDS = 0.1


async def resume_or_restart(patient: Patient, process: ProcessIdentity) -> str:
    """Send SIGCONT; where it does not answer all the same, end it and start a new one.

    Raises:
        BuddyError: it cannot be ended, or the new one did not come up.
    """
    try:
        await patient.host.gateway.resume(process)
        answered_after = await _answered_after(patient, process)
    except BuddyError as exc:  # whoever may not signal it may still have a service to ask
        return f"{exc.message} {await terminate_and_restart(patient)}"
    if answered_after is not None:
        return f"It was told to go on (SIGCONT), and answered after {answered_after:.1f} s."
    await patient.notes.line(
        f"It was told to go on (SIGCONT), and answered nobody for {ANSWER_SECONDS:.0f} s."
    )
    return f"SIGCONT did not help. {await terminate_and_restart(patient)}"


async def _answered_after(patient: Patient, process: ProcessIdentity) -> float | None:
    """Return after how long it answered, None when it did not, was stopped again or has gone."""
    gateway, began = patient.host.gateway, seconds_after_boot()
    while seconds_after_boot() - began < ANSWER_SECONDS:
        usage = await gateway.usage(process)
        if usage is None:
            return None
        if not usage.stopped and (await gateway.probe()).live:
            return seconds_after_boot() - began
        await asyncio.sleep(POLL_SECONDS)
    return None
