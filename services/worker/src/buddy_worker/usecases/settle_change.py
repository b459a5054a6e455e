"""Make an end of a change that a killed worker left: the old config or the new one, never a third."""

from pathlib import Path

import structlog

from buddy_common.adapters.change_journal import Side
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.schemas.backups import ROOT
from buddy_common.schemas.job import NodeLock

log = structlog.get_logger(__name__)


def settle_broken_change(host: HostPlane) -> None:
    """Look at what the last change left; where only some of its files are written, put the old ones back.

    For whoever holds the node's config lock. Blocks for milliseconds.

    Raises:
        StateUnwritableError: the files cannot be written.
        UnknownBackupError: the copy that was kept is gone.
    """
    change = host.journal.open_change()
    if change is None:
        return
    host.config_files.sweep(change.before)
    side = change.side()
    if side is Side.MIXED:
        _, contents = host.history.get(change.backup)
        root = Path(host.config_files.real_path())
        host.config_files.write(
            {root if name == ROOT else Path(name): content for name, content in contents.items()}
        )
        side = Side.OLD
        log.warning("half_written_config_put_back", task_id=change.task_id, backup=change.backup)
    host.journal.settle(change, side)


def settle_if_free(host: HostPlane) -> None:
    """Do the same unless somebody holds the config lock, who does it then.

    Raises:
        StateUnwritableError: the files cannot be written.
        UnknownBackupError: the copy that was kept is gone.
    """
    held = host.locks.try_hold({NodeLock.CONFIG})
    if held is None:
        return
    try:
        settle_broken_change(host)
    finally:
        held.release()


def what_is_there(host: HostPlane, task_id: str) -> str | None:
    """Return, for people, which config a change has left that broke off; None where it wrote nothing."""
    change = host.journal.open_change()
    if change is not None and change.task_id == task_id:
        return change.side().shown
    side = host.journal.settled(task_id)
    return None if side is None else side.shown
