"""What is in quarantine at a moment: an entry that stands in the config again is not."""

import structlog

from buddy_common.adapters.node_locks import NodeLocks
from buddy_common.adapters.quarantine import Quarantine
from buddy_common.config_diff import stands
from buddy_common.errors import BuddyError
from buddy_common.schemas.job import NodeLock
from buddy_watchdog.config_look import ConfigLooker
from buddy_watchdog.repairs.quarantine import let_go_of_what_is_back

log = structlog.get_logger(__name__)


def kept_out(store: Quarantine, looker: ConfigLooker, locks: NodeLocks) -> int:
    """Return how many entries are kept out of the config, and forget those that were put back past Buddy.

    While a job or a repair has the config nothing is forgotten: it may be about to take the entry out again.
    """
    kept = store.listing()
    if not kept or looker.look().problem is not None:
        return len(kept)
    out = [entry for entry in kept if not stands(looker.config, tuple(entry.path))]
    if len(out) < len(kept):
        try:
            _let_go(store, looker, locks)
        except BuddyError as exc:
            log.warning("quarantine_not_settled", reason=exc.message)
    return len(out)


def _let_go(store: Quarantine, looker: ConfigLooker, locks: NodeLocks) -> None:
    held = locks.try_hold({NodeLock.CONFIG})
    if held is None:
        return
    try:
        if looker.look().problem is None:  # as it is now that nobody of us changes it
            let_go_of_what_is_back(store, looker.config)
    finally:
        held.release()
