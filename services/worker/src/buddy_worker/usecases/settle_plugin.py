"""Make an end of a change of a plugin that a killed or stopped worker left: what can be put back here, is."""

from pathlib import Path

import structlog

from buddy_common.adapters.config_files import ConfigState
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.plugin_note import PluginNote, Settled
from buddy_common.errors import BuddyError, StateUnwritableError, UnknownBackupError
from buddy_common.schemas.backups import ROOT, BackupReason
from buddy_worker.usecases.as_before import as_before
from buddy_worker.usecases.plugin_keys import PluginKeys

log = structlog.get_logger(__name__)


def settle_broken_plugin(host: HostPlane, *, but: str | None = None) -> None:
    """Put back what the last change of a plugin left half done; `but`: not of this task, which goes on.

    For whoever holds the node's config lock. Blocks while a folder is copied.

    What cannot be put back is remembered, and tried again the next time: its copy stays.

    Raises:
        StateUnwritableError: what it came to cannot be noted.
    """
    note = host.plugin_journal.open_note()
    if note is None or note.task_id == but:
        return
    if not note.is_local:
        host.plugin_journal.settle(note.task_id, Settled(_advice(note), covers_config=False))
        host.plugin_journal.end()
        return
    try:
        whole, kept = _put_back(host, note)
    except (BuddyError, OSError) as exc:
        log.exception("plugin_not_put_back", task_id=note.task_id, plugin=note.plugin)
        reason = exc.message if isinstance(exc, BuddyError) else str(exc)
        text = f"{_named(note)} could not be put back: {reason} {_where(host, note)}"
        host.plugin_journal.settle(note.task_id, Settled(text, covers_config=False))
        return
    log.warning("plugin_put_back", task_id=note.task_id, plugin=note.plugin)
    what = f"{_named(note)} and what belongs to it in openclaw.json are"
    text = f"{what if whole else f'{_named(note)} is'} as before.{kept}"
    host.plugin_journal.settle(note.task_id, Settled(text, covers_config=whole))
    host.plugin_journal.end()
    host.plugin_folders.forget()


def require_settled(host: HostPlane) -> None:
    """See that no copy is kept that another one would take the place of.

    Raises:
        StateUnwritableError: one is; the message says whose, and where.
    """
    note = host.plugin_journal.open_note()
    if note is not None:
        raise StateUnwritableError(
            f"An earlier job broke off and {_named(note)} could not be put back, so nothing was done."
            f" {_where(host, note)} To give it up, remove {host.plugin_journal.file}."
        )


def what_became_of_plugin(host: HostPlane, task_id: str) -> Settled | None:
    """Return what a change of a plugin has left that broke off; None where it changed none."""
    settled = host.plugin_journal.settled(task_id)
    note = host.plugin_journal.open_note()
    if settled is not None or note is None or note.task_id != task_id:
        return settled
    if not note.is_local:
        return Settled(_advice(note), covers_config=False)
    return Settled(
        f"{_named(note)} may not be as it was before; the next change of the config puts it back.",
        covers_config=False,
    )


def _put_back(host: HostPlane, note: PluginNote) -> tuple[bool, str]:
    """Return whether what belongs to it in the config is back as well, and what was kept of what was there.

    Days may lie between, and somebody may have changed it by hand: what is there now is kept first.
    """
    ids = frozenset[str]()
    if note.plugin is not None:
        ids = frozenset({note.plugin})
        host.plugin_folders.put_back(note.plugin)
    elif note.package is not None:
        ids = host.plugin_folders.remove_new(frozenset(note.folders), package=note.package)
    try:
        _, contents = host.history.get(note.backup)
    except UnknownBackupError:  # the plugin is what matters; its keys can be set by hand
        log.warning("plugin_keys_not_put_back", task_id=note.task_id, backup=note.backup)
        return False, ""
    root = host.config_files.real_path()
    files = {root if name == ROOT else Path(name): content for name, content in contents.items()}
    before = ConfigState(root, files, host.config_files.effective(contents))
    now = host.config_files.read()
    keys = PluginKeys(ids, frozenset(note.channels), None if note.plugin else note.package)
    back = as_before(host.config_files, before, now, keys)
    if not back.files:
        return True, ""
    made = host.history.add(
        now.files[now.root], now.parts, reason=BackupReason.BEFORE_CHANGE, task_id=note.task_id
    )
    host.config_files.write(back.files)
    named = f" That is {', '.join(back.ours)}." if back.ours else ""
    return True, f"{named} What stood in openclaw.json until then is the backup {made.name}."


def _named(note: PluginNote) -> str:
    return f"Plugin {note.plugin or note.package} {note.version or ''}".rstrip()


def _where(host: HostPlane, note: PluginNote) -> str:
    if note.plugin is None:
        return f"Its folder is in {host.plugin_folders.extensions}; the next change tries again."
    return (
        f"The copy of its folder is in {host.plugin_folders.copies}, openclaw.json as it was is the backup"
        f" {note.backup}; the next change tries again."
    )


def _advice(note: PluginNote) -> str:
    shows = "`GET /v1/openclaw/plugins` shows it"
    if note.plugin is None:
        return f"Whether {note.package} is installed now was not looked at: {shows}; the job may be repeated."
    spec = f"{note.package or note.plugin}@{note.version}" if note.version else note.package or note.plugin
    return (
        f"Whether {_named(note)[0].lower()}{_named(note)[1:]} is still there was not looked at: {shows},"
        f" `POST /v1/openclaw/plugins/install` with {spec} brings it back."
    )
