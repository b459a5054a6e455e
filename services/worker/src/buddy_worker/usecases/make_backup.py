"""Keep `openclaw.json` as it is now, because somebody asked for it."""

from buddy_common.adapters.config_history import ConfigHistory
from buddy_common.adapters.live_config import LiveConfig
from buddy_common.errors import NoConfigError
from buddy_common.schemas.backups import ROOT, Backup, BackupReason
from buddy_worker.audited import Audited, Made


class BackupMade(Audited):
    """The backup that was made."""

    name: str
    hash: str
    size: int
    files: list[str]


def make_backup(files: LiveConfig, history: ConfigHistory, *, task_id: str) -> BackupMade:
    """Keep the root file and its parts; blocking. An earlier attempt of the same task is not repeated.

    Raises:
        NoConfigError: there is no file.
        GatewayConfigError: it cannot be read.
        StateUnwritableError: the backup cannot be written.
    """
    made = next((backup for backup in history.listing() if backup.task_id == task_id), None)
    made = made or _keep(files, history, task_id)
    told = [Made("backup", None, made.name)]
    return BackupMade(name=made.name, hash=made.hash, size=made.size, files=list(made.files), made=told)


def _keep(files: LiveConfig, history: ConfigHistory, task_id: str) -> Backup:
    contents = files.read()
    if ROOT not in contents:
        raise NoConfigError
    return history.add(contents[ROOT], contents, reason=BackupReason.MANUAL, task_id=task_id)
