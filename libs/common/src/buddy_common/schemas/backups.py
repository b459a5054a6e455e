"""Backups of `openclaw.json`: what is known of one without its content."""

import re
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

CURRENT = "current"  # the files as they are now, where the name of a backup could stand
ROOT = "openclaw.json"  # what the root file is called among the files of a backup
# a suffix only where one second brings the same bytes twice
NAME = r"openclaw-[0-9]{8}-[0-9]{6}-[0-9a-f]{8}(?:-[0-9]{1,6})?\.bak"
_NAME = re.compile(NAME)


class BackupReason(StrEnum):
    """Why a backup was made."""

    BEFORE_CHANGE = "before change"
    KNOWN_GOOD = "known good"
    MANUAL = "manual"
    BEFORE_RESTORE = "before restore"
    BEFORE_REPAIR = "before repair"


class Backup(BaseModel):
    """One backup; `hash` is that of the config, `size` that of the root; `files` has the hash of each."""

    model_config = ConfigDict(frozen=True)

    name: str
    hash: str
    created_at: datetime
    reason: BackupReason
    size: int
    task_id: str | None = None
    files: dict[str, str]


class BackupQuestion(BaseModel):
    """What the api wants to know: the list, the content of one, or how one differs from another state."""

    model_config = ConfigDict(frozen=True)

    name: str | None = None  # None: the list
    against: str | None = None  # `current`, or another backup
    before: str | None = None  # page on from this name
    limit: int = 100


def is_backup_name(text: str) -> bool:
    """Whether a text can be the name of a backup; of any other no path is ever made."""
    return _NAME.fullmatch(text) is not None
