"""Make a repair while nobody else may touch the gateway or its config."""

import asyncio

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.quarantine import Quarantine
from buddy_common.errors import StateUnwritableError
from buddy_common.schemas.gateway import Desired
from buddy_common.schemas.job import NodeLock
from buddy_common.schemas.verdicts import Verdict
from buddy_watchdog.evidence import Evidence
from buddy_watchdog.repairs.choose import repair
from buddy_watchdog.repairs.patient import Begins, Patient, Repaired, RepairNotes


async def repair_alone(
    host: HostPlane,
    evidence: Evidence,
    verdict: Verdict,
    *,
    incident: str,
    attempt: int,
    store: Quarantine,
    begins: Begins,
) -> Repaired:
    """Hold both locks of the node and repair; a job that has one, or a stop on purpose, comes first."""
    try:
        held = await asyncio.to_thread(host.locks.try_hold, {NodeLock.LIFECYCLE, NodeLock.CONFIG})
    except StateUnwritableError as exc:
        return Repaired("repair", ok=False, said=exc.message)
    if held is None:
        return Repaired("repair", ok=False, said="A job of an operator came first.", counts=False)
    try:
        if await host.state.desired() is Desired.STOPPED:
            return Repaired("repair", ok=False, said="It was stopped on purpose.", counts=False)
        notes = RepairNotes(held.descriptors, begins=begins)
        patient = Patient(host, evidence=evidence, incident=incident, attempt=attempt, notes=notes)
        return await repair(patient, verdict, store)
    finally:
        held.release()
