"""Why no repair may be made at this moment."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from buddy_common.schemas.healing import SelfHealing
from buddy_watchdog.evidence import Evidence
from buddy_watchdog.installs import ENDLESS_SECONDS, running_install


@dataclass(frozen=True)
class Hindrance:
    """`reason`: what a repair has to wait for; `note`: what it need not wait for any more, for its report."""

    reason: str | None = None
    note: str | None = None


async def hindrance(evidence: Evidence, wishes: SelfHealing, now: datetime) -> Hindrance:
    """Look what is in the way of a repair."""
    if not wishes.allows_repairs(now):
        return Hindrance("Self-healing is off, or paused.")
    if evidence.lifecycle_busy or evidence.config_busy:
        return Hindrance("A job of an operator is under way.")
    install = await asyncio.to_thread(running_install)
    if install is None:
        return Hindrance()
    if install.endless:
        return Hindrance(
            note=f"An install of OpenClaw runs for over {ENDLESS_SECONDS / 60:.0f} minutes, and nothing"
            f" waits for it any more: {install}."
        )
    return Hindrance(f"OpenClaw is being installed: {install}.")
