"""Put the newest config back that the gateway is known to have been ready on."""

import asyncio

import structlog

from buddy_common.adapters.config_history import ConfigHistory
from buddy_common.adapters.finishing import to_its_end
from buddy_common.adapters.live_config import LiveConfig
from buddy_common.config_hash import config_hash
from buddy_common.errors import GatewayConfigError, UnknownBackupError
from buddy_common.schemas.backups import ROOT, Backup, BackupReason
from buddy_watchdog.repairs.patient import Patient

log = structlog.get_logger(__name__)


async def roll_back(patient: Patient) -> str | None:
    """Put it back and return which; None: there is none that differs from what is there.

    What is there now is backed up first.

    Raises:
        StateUnwritableError: the disk is full; nothing was changed.
    """
    host = patient.host
    name = await to_its_end(asyncio.to_thread(_roll_back, host.history, host.live_config))
    if name is not None:
        await patient.notes.line(f"Put back the known-good config {name}")
    return name


def _roll_back(history: ConfigHistory, live: LiveConfig) -> str | None:
    try:
        now = live.read()
    except GatewayConfigError as exc:  # it is there and not ours to read: then not ours to replace either
        log.warning("config_unreadable", reason=exc.message)
        return None
    for backup in _candidates(history, now):
        try:
            _, contents = history.get(backup.name)
        except UnknownBackupError:  # damaged
            continue
        if ROOT in now:
            parts = {name: content for name, content in now.items() if name != ROOT}
            history.add(now[ROOT], parts, reason=BackupReason.BEFORE_REPAIR)
        live.write(live.named(contents))
        return backup.name
    return None


def _candidates(history: ConfigHistory, now: dict[str, bytes]) -> list[Backup]:
    """Return the good ones, newest first; where what is there is one of them, those older than it first."""
    good = [backup for backup in history.listing() if backup.reason is BackupReason.KNOWN_GOOD]
    here = [number for number, backup in enumerate(good) if _same(backup, now)]
    older = here[0] + 1 if here else 0
    return [backup for backup in good[older:] + good[:older] if not _same(backup, now)]


def _same(backup: Backup, now: dict[str, bytes]) -> bool:
    return ROOT in now and config_hash(now.values()) == backup.hash
