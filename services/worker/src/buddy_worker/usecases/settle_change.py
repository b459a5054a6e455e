"""Make an end of a change that a killed worker left: the old config or the new one, never a third."""

from pathlib import Path

import structlog

from buddy_common.adapters.change_journal import OpenChange, Side
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.errors import StateUnwritableError, UnknownBackupError
from buddy_common.schemas.backups import ROOT
from buddy_common.schemas.config_job import ConfigJob
from buddy_common.schemas.job import Job, NodeLock
from buddy_common.schemas.plugin_jobs import PluginJob
from buddy_worker.usecases.settle_plugin import settle_broken_plugin, what_became_of_plugin

log = structlog.get_logger(__name__)

NOTED = (ConfigJob, PluginJob)  # they note what they are about to write; without a note they wrote nothing
NOTHING_WRITTEN = "openclaw.json was not written: it is as it was before."


def settle_broken_change(host: HostPlane, *, but: str | None = None) -> None:
    """Look at what the last change left; where only some of its files are written, put the old ones back.

    For whoever holds the node's config lock. Blocks for milliseconds, or while a plugin's folder is copied:
    a plugin that was about to change comes back first, unless the task `but` goes on with it.

    What cannot be put back is logged and remembered as half written: it must not stop what comes next.

    Raises:
        StateUnwritableError: what it came to cannot be noted.
    """
    settle_broken_plugin(host, but=but)
    change = host.journal.open_change()
    if change is None:
        return
    host.config_files.sweep(change.before)
    side = change.side()
    if side is Side.MIXED:
        side = _put_back(host, change)
    host.journal.settle(change, side)


def _put_back(host: HostPlane, change: OpenChange) -> Side:
    """Put the old content into the files of the change, and into no other; return what is there then."""
    try:
        _, contents = host.history.get(change.backup)
        root = host.config_files.real_path()
        kept = {root if name == ROOT else Path(name): content for name, content in contents.items()}
        host.config_files.write({path: kept[path] for path in change.before if path in kept})
    except (UnknownBackupError, StateUnwritableError, OSError):
        log.exception("half_written_config_stays", task_id=change.task_id, backup=change.backup)
        return Side.MIXED
    log.warning("half_written_config_put_back", task_id=change.task_id, backup=change.backup)
    return change.side()


def settle_if_free(host: HostPlane) -> None:
    """Do the same unless somebody holds the config lock, who does it then.

    Raises:
        StateUnwritableError: what it came to cannot be noted, or the lock not be looked at.
    """
    held = host.locks.try_hold({NodeLock.CONFIG})
    if held is None:
        return
    try:
        settle_broken_change(host)
    finally:
        held.release()


def what_is_there(host: HostPlane, task_id: str, kind: type[Job] | None) -> str | None:
    """Return, for people, which config a job has left that broke off, and of which plugins it may have.

    None where a job of this kind changes neither.
    """
    plugin = what_became_of_plugin(host, task_id)
    config = None if plugin is not None and plugin.covers_config else _side(host, task_id, kind)
    parts = [] if plugin is None else [plugin.text]
    return " ".join([*parts, *([] if config is None else [config])]) or None


def _side(host: HostPlane, task_id: str, kind: type[Job] | None) -> str | None:
    change = host.journal.open_change()
    if change is not None and change.task_id == task_id:
        return change.side().shown
    side = host.journal.settled(task_id)
    if side is not None:
        return side.shown
    return NOTHING_WRITTEN if kind is not None and issubclass(kind, NOTED) else None
