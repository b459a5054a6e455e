"""What `openclaw.json` and the files that it includes once were: each content is kept once, by its hash.

A backup is a small record that names its contents. Contents are written before the record, and both are
replaced whole: whenever the process is killed, a record that is there is complete.
"""

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain, count
from pathlib import Path

import structlog
from pydantic import ValidationError

from buddy_common.adapters.atomic_file import replace_file
from buddy_common.config_hash import config_hash
from buddy_common.errors import StateUnwritableError, UnknownBackupError
from buddy_common.schemas.backups import ROOT, Backup, BackupReason, is_backup_name

log = structlog.get_logger(__name__)

_PRIVATE_FOLDER = 0o700
_RECORD = ".json"
_ANY_HASH = re.compile(rb"\b[0-9a-f]{64}\b")
# reasons that machines give again and again, for what may not have changed in between
_ONCE = frozenset({BackupReason.BEFORE_CHANGE, BackupReason.KNOWN_GOOD})


class ConfigHistory:
    """The backups of one node. Every call may touch the disk; several processes may call at once."""

    def __init__(self, folder: Path, *, keep: int) -> None:
        self._folder = folder
        self._records = folder / "records"
        self._blobs = folder / "blobs"
        self._keep = keep

    def add(
        self,
        root: bytes,
        parts: Mapping[str, bytes],
        *,
        reason: BackupReason,
        task_id: str | None = None,
        sha256: str | None = None,
    ) -> Backup:
        """Keep the root file and its parts, and let go of what is older than the limit.

        `sha256`: the hash of the config, where not all of the parts belong to it, or not in this order.
        The newest backup is returned instead when it has the same bytes for the same passing reason.

        Raises:
            StateUnwritableError: the disk is full, or the folder cannot be written.
        """
        contents = {ROOT: root, **{name: part for name, part in parts.items() if name != ROOT}}
        sha256 = sha256 or config_hash(contents.values())
        try:
            with self._alone():
                return self._add(contents, sha256, reason=reason, task_id=task_id)
        except OSError as exc:
            raise StateUnwritableError(f"{self._folder} cannot be written: {exc.strerror}.") from exc

    def listing(self) -> list[Backup]:
        """Return all backups, newest first; a record that cannot be read is left out."""
        try:
            files = self._record_files()
        except FileNotFoundError:
            return []
        except OSError as exc:
            log.warning("backups_unreadable", reason=exc.strerror)
            return []
        found = [backup for path in files if (backup := _read_record(path)) is not None]
        return sorted(found, key=lambda backup: (backup.created_at, backup.name), reverse=True)

    def get(self, name: str) -> tuple[Backup, dict[str, bytes]]:
        """Return a backup and the content of each of its files.

        Raises:
            UnknownBackupError: there is none of this name, or it is damaged.
        """
        backup = _read_record(self._record(name)) if is_backup_name(name) else None
        contents = None if backup is None else self._contents(backup)
        if backup is None or contents is None:
            raise UnknownBackupError(name)
        return backup, contents

    def with_hash(self, sha256: str) -> tuple[Backup, dict[str, bytes]] | None:
        """Return the newest whole backup of the config with this hash, None when there is none."""
        for backup in self.listing():
            if backup.hash == sha256 and (contents := self._contents(backup)) is not None:
                return backup, contents
        return None

    def _add(
        self, contents: dict[str, bytes], sha256: str, *, reason: BackupReason, task_id: str | None
    ) -> Backup:
        files = {name: _sha256(content) for name, content in contents.items()}
        for name, content in contents.items():
            self._keep_blob(files[name], content)
        kept = self.listing()
        newest = kept[0] if kept else None
        if newest is not None and reason in _ONCE and (newest.reason, newest.files) == (reason, files):
            return newest
        created_at = datetime.now(UTC)
        if newest is not None and newest.created_at >= created_at:  # the clock was put back
            created_at = newest.created_at + timedelta(microseconds=1)
        backup = Backup(
            name=self._free_name(created_at, sha256),
            hash=sha256,
            created_at=created_at,
            reason=reason,
            size=len(contents[ROOT]),
            task_id=task_id,
            files=files,
        )
        replace_file(self._record(backup.name), backup.model_dump_json().encode())
        self._let_go([backup, *kept])
        return backup

    def _keep_blob(self, sha256: str, content: bytes) -> None:
        if self._read_blob(sha256) is None:
            replace_file(self._blobs / sha256, content)

    def _read_blob(self, sha256: str) -> bytes | None:
        try:
            content = (self._blobs / sha256).read_bytes()
        except OSError:
            return None
        return content if _sha256(content) == sha256 else None

    def _contents(self, backup: Backup) -> dict[str, bytes] | None:
        contents: dict[str, bytes] = {}
        for name, sha256 in backup.files.items():
            content = self._read_blob(sha256)
            if content is None:
                log.warning("backup_damaged", backup=backup.name, file=name)
                return None
            contents[name] = content
        return contents

    def _free_name(self, created_at: datetime, sha256: str) -> str:
        stem = f"openclaw-{created_at:%Y%m%d-%H%M%S}-{sha256[:8]}"
        names = chain([f"{stem}.bak"], (f"{stem}-{number}.bak" for number in count(2)))
        return next(name for name in names if not self._record(name).exists())

    def _let_go(self, newest_first: list[Backup]) -> None:
        manual = [backup for backup in newest_first if backup.reason is BackupReason.MANUAL]
        good = [backup for backup in newest_first if backup.reason is BackupReason.KNOWN_GOOD]
        stay = {b.name for b in (*newest_first[: self._keep], *manual[: self._keep], *good[:1])}
        for backup in newest_first:
            if backup.name not in stay:
                self._record(backup.name).unlink(missing_ok=True)
        self._sweep()

    def _sweep(self) -> None:
        """Remove contents that no record names, and what a killed process left half written."""
        for rest in (*self._records.glob(".*"), *self._blobs.glob(".*")):
            rest.unlink(missing_ok=True)
        named: set[str] = set()
        for path in self._record_files():
            try:
                # also of a record that only another version understands
                named |= {found.decode() for found in _ANY_HASH.findall(path.read_bytes())}
            except OSError:  # what it names is not known
                return
        for blob in self._blobs.iterdir():
            if blob.name not in named:
                blob.unlink(missing_ok=True)

    def _record(self, name: str) -> Path:
        return self._records / f"{name}{_RECORD}"

    def _record_files(self) -> list[Path]:
        return [path for path in self._records.iterdir() if is_backup_name(path.name.removesuffix(_RECORD))]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from adding: one's sweep would take the other's new contents."""
        for folder in (self._folder, self._records, self._blobs):
            folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _read_record(path: Path) -> Backup | None:
    try:
        backup = Backup.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as exc:
        log.warning("backup_unreadable", record=path.name, reason=type(exc).__name__)
        return None
    whole = f"{backup.name}{_RECORD}" == path.name and ROOT in backup.files
    is_of_files = len(backup.files) > 1 or backup.hash in backup.files.values()
    if not (whole and is_of_files) or backup.created_at.tzinfo is None:
        log.warning("backup_unreadable", record=path.name, reason="it contradicts itself")
        return None
    return backup


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
