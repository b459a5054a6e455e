"""Keep the configs that the gateway was ready on for a minute: what a rollback goes back to."""

import asyncio

import structlog

from buddy_common.adapters.config_history import ConfigHistory
from buddy_common.adapters.live_config import LiveConfig
from buddy_common.errors import BuddyError
from buddy_common.schemas.backups import ROOT, BackupReason
from buddy_common.schemas.processes import ProcessIdentity
from buddy_common.schemas.verdicts import Verdict
from buddy_watchdog.evidence import Evidence

log = structlog.get_logger(__name__)

READY_SECONDS = 60.0


class KnownGood:
    """Counts how long one process has been ready on one config."""

    def __init__(self, history: ConfigHistory, live: LiveConfig) -> None:
        self._history = history
        self._live = live
        self._since: float | None = None
        self._of: tuple[ProcessIdentity | None, str | None] = (None, None)
        self._kept: str | None = None

    async def consider(self, evidence: Evidence, verdict: Verdict) -> str | None:
        """Keep the config if its minute has passed, and return the name of the backup that was made."""
        of = (evidence.process, evidence.config.hash)
        good = verdict in {Verdict.READY, Verdict.SAFE_MODE} and evidence.config.applied
        if not good or of != self._of or evidence.config_busy:
            self._of, self._since = of, evidence.at if good else None
            return None
        if self._since is None:
            self._since = evidence.at
        if evidence.at - self._since < READY_SECONDS or self._kept == evidence.config.hash:
            return None
        try:
            return await asyncio.to_thread(self._keep, evidence.config.hash)
        except BuddyError as exc:
            log.warning("known_good_not_kept", reason=exc.message)
            return None

    def _keep(self, sha256: str | None) -> str | None:
        contents = self._live.read()
        if sha256 is None or self._live.hash() != sha256:  # it changes this moment
            return None
        parts = {name: content for name, content in contents.items() if name != ROOT}
        newest = next((b for b in self._history.listing() if b.reason is BackupReason.KNOWN_GOOD), None)
        if newest is None or newest.hash != sha256:
            newest = self._history.add(contents[ROOT], parts, reason=BackupReason.KNOWN_GOOD, sha256=sha256)
            log.info("known_good_kept", backup=newest.name)
        self._kept = sha256
        return newest.name
