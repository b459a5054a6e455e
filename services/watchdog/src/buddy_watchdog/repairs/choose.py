"""Choose the repair that fits the verdict, make it, and look whether it helped."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from buddy_common.adapters.config_files import ConfigState
from buddy_common.adapters.quarantine import Quarantine
from buddy_common.config_diff import KeyPath
from buddy_common.errors import BuddyError, ConfigRejectedError, GatewayConfigError, IncludeUnsupportedError
from buddy_common.schemas.verdicts import Verdict
from buddy_common.usecases.validate_config import validate_config
from buddy_watchdog.repairs.patient import Patient, Repaired
from buddy_watchdog.repairs.quarantine import find_culprits, let_go_of_what_is_back, quarantine
from buddy_watchdog.repairs.restart import restart
from buddy_watchdog.repairs.resume import resume_or_restart
from buddy_watchdog.repairs.rollback import roll_back
from buddy_watchdog.repairs.suspects import accusations, suspects
from buddy_watchdog.repairs.terminate import terminate_and_restart
from buddy_watchdog.starts import may_blame_config

log = structlog.get_logger(__name__)

# what was started so often and did not stay has more wrong with it than bad luck
LOOP_ATTEMPTS = 3

Repair = Callable[[], Awaitable[str]]


async def repair(patient: Patient, verdict: Verdict, store: Quarantine) -> Repaired:
    """Make one repair; whatever comes of it is in the answer. The caller holds both locks of the node."""
    name, run = await _choose(patient, verdict, store)
    await patient.notes.begins(name)
    try:
        said = await run()
    except BuddyError as exc:
        return Repaired(name, ok=False, said=exc.message, lines=patient.notes.lines)
    finally:
        await _settle(patient, store)
    return Repaired(name, ok=True, said=said, lines=patient.notes.lines)


async def _choose(patient: Patient, verdict: Verdict, store: Quarantine) -> tuple[str, Repair]:
    async def start() -> str:
        return await restart(patient)

    stopped = patient.evidence.process if patient.evidence.frozen else None
    if stopped is not None and patient.attempt == 1:  # who stops it again has more wrong with it
        return "resume", lambda: resume_or_restart(patient, stopped)
    if verdict is Verdict.HUNG:
        return "terminate and restart", lambda: terminate_and_restart(patient)
    blamed = verdict in {Verdict.CONFIG_ERROR, Verdict.CRASH_LOOP} or patient.attempt >= LOOP_ATTEMPTS
    if blamed or patient.evidence.config.problem is not None:  # no start on that would come up
        try:
            name, before = await _mend_config(patient, store)
        except BuddyError as exc:  # a full disk, a program that cannot be asked: then only a start is left
            log.warning("config_not_mended", reason=exc.message)
            await patient.notes.line(f"The config was left as it is: {exc.message}")
            return "restart", start
        if name is not None:
            return name, _after(before, start)
    return "restart", start


def _after(before: str, run: Repair) -> Repair:
    async def both() -> str:
        return f"{before} {await run()}"

    return both


async def _mend_config(patient: Patient, store: Quarantine) -> tuple[str | None, str]:
    """Take out what is to blame, else go back to what was good; (None, "") where neither helps."""
    state = await asyncio.to_thread(_read, patient)
    if state is not None:
        refusal = await _refusal(patient, state)
        if refusal is None and not may_blame_config(patient.evidence):
            await patient.notes.line("Nothing says that the config is the cause: it is left as it is.")
            return None, ""
        culprits = await find_culprits(patient, state, refusal)
        if not await asyncio.to_thread(patient.host.config_files.is_still, state):
            await patient.notes.line("openclaw.json was changed meanwhile, and is left as it is.")
            return None, ""
        why = _why(patient, state, culprits or [], refusal)
        taken = await _try_quarantine(patient, store, state, culprits, why) if culprits else None
        if taken is not None:
            return "quarantine", f"Quarantined {taken}."
    await patient.notes.begins("rollback")
    name = await roll_back(patient)
    if name is None:
        await patient.notes.line("There is no other config that is known to be good.")
        return None, ""
    return "rollback", f"Rolled back to {name}."


async def _try_quarantine(
    patient: Patient, store: Quarantine, state: ConfigState, culprits: list[KeyPath], why: str
) -> str | None:
    await patient.notes.begins("quarantine")
    try:
        return await quarantine(patient, store, state, culprits, reason=why)
    except IncludeUnsupportedError as exc:
        await patient.notes.line(exc.message)
        return None


async def _refusal(patient: Patient, state: ConfigState) -> str | None:
    """Return why OpenClaw does not take the config, None where it does."""
    try:
        await validate_config(patient.host, patient.notes, state.config)
    except ConfigRejectedError as exc:
        await patient.notes.line(exc.message)
        return exc.message
    return None


def _read(patient: Patient) -> ConfigState | None:
    try:
        return patient.host.config_files.read()
    except GatewayConfigError:
        return None


def _why(patient: Patient, state: ConfigState, culprits: list[KeyPath], refusal: str | None) -> str:
    """Return what OpenClaw says against the entries, and not what it happened to say last."""
    named = (
        line
        for line in accusations(patient.evidence.said)
        if set(culprits) & set(suspects([line], state.config))
    )
    return refusal or patient.evidence.config.problem or next(named, "OpenClaw did not start with it.")


async def _settle(patient: Patient, store: Quarantine) -> None:
    state = await asyncio.to_thread(_read, patient)
    if state is not None:
        try:
            await asyncio.to_thread(let_go_of_what_is_back, store, state.config)
        except BuddyError as exc:
            log.warning("quarantine_not_settled", reason=exc.message)
