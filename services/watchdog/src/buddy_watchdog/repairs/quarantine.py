"""Take the entry out of the config that keeps the gateway from starting. A call puts it back."""

import asyncio
import uuid
from collections.abc import Sequence
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from buddy_common.adapters.config_files import ConfigState
from buddy_common.adapters.finishing import to_its_end
from buddy_common.adapters.quarantine import Quarantine
from buddy_common.config_diff import KeyPath, changes_between, show_path, stands, value_at
from buddy_common.errors import ConfigRejectedError
from buddy_common.schemas.backups import BackupReason
from buddy_common.schemas.healing import Quarantined
from buddy_common.usecases.validate_config import validate_config
from buddy_watchdog.repairs.patient import Patient
from buddy_watchdog.repairs.suspects import accusations, suspects

MOST_ENTRIES = 5  # a config with more than that wrong is a case for an earlier one


async def find_culprits(patient: Patient, state: ConfigState, refusal: str | None) -> list[KeyPath] | None:
    """Return the entries without which OpenClaw takes the config; None: it is not up to entries alone.

    The first are those that OpenClaw's `refusal` of the config names, else its loader in the gateway's last
    words; more may come to light as it judges what is left.
    """
    out = suspects([refusal], state.config) if refusal else []
    out = out or suspects(accusations(patient.evidence.said), state.config)
    while 0 < len(out) <= MOST_ENTRIES:
        left = _without(state.config, out)
        try:
            await validate_config(patient.host, patient.notes, left)
        except ConfigRejectedError as exc:
            more = suspects([exc.message], left)
            if not more:
                return None
            out += more
        else:
            return out
    return None


async def quarantine(
    patient: Patient, store: Quarantine, state: ConfigState, paths: Sequence[KeyPath], *, reason: str
) -> str:
    """Take the entries out, and return which.

    First they are kept, then the file is written: killed in between, what is kept and still stands in the
    config is let go of again.

    Raises:
        StateUnwritableError: nothing was changed.
        IncludeUnsupportedError: an entry lies where several files overlap.
    """
    host = patient.host
    changes = changes_between(state.config, _without(state.config, paths))
    files = await asyncio.to_thread(host.config_files.edited, state, changes)
    await to_its_end(asyncio.to_thread(_keep, patient, store, state, paths, reason))
    await to_its_end(asyncio.to_thread(host.config_files.write, files))
    shown = ", ".join(show_path(path) for path in paths)
    await patient.notes.line(f"Taken out of openclaw.json and kept: {shown}")
    return shown


def let_go_of_what_is_back(store: Quarantine, config: dict[str, Any]) -> None:
    """Forget entries that stand in the config again: put back by hand, by a rollback, or never taken out."""
    for entry in store.listing():
        if stands(config, tuple(entry.path)):
            store.remove(entry.id)


def _keep(
    patient: Patient, store: Quarantine, state: ConfigState, paths: Sequence[KeyPath], reason: str
) -> None:
    root = state.files[state.root]
    patient.host.history.add(root, state.parts, reason=BackupReason.BEFORE_REPAIR)
    for path in paths:
        store.add(
            Quarantined(
                id=f"q-{uuid.uuid4().hex[:12]}",
                at=datetime.now(UTC),
                incident=patient.incident,
                path=list(path),
                reason=reason,
                value=value_at(state.config, path),
            )
        )


def _without(config: dict[str, Any], paths: Sequence[KeyPath]) -> dict[str, Any]:
    left = deepcopy(config)
    for path in paths:
        holder: Any = left
        for key in path[:-1]:
            holder = holder.get(key, {})
        holder.pop(path[-1], None)
    return left
