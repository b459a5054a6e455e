"""Copies of SQLite databases that another program works with."""

import errno
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import structlog

_BUSY_SECONDS = 5.0
_NOTHING_TO_KEEP = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_ERRNO = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_BUSY: errno.EBUSY,
    sqlite3.SQLITE_LOCKED: errno.EBUSY,
}
_BESIDE = ("-wal", "-shm", "-journal")

log = structlog.get_logger(__name__)


def copy_database(database: Path, copy: Path) -> None:
    """Copy it as it is at one moment, with mode and owner; what is no database, or broken, is left out.

    Raises:
        OSError: it cannot be read at this moment, or the copy not be written; nothing is left of that.
    """
    source = f"{database.absolute().as_uri()}?mode=ro"
    like = database.stat()
    try:
        with (
            closing(sqlite3.connect(source, uri=True, timeout=_BUSY_SECONDS)) as reading,
            closing(sqlite3.connect(copy)) as writing,
        ):
            # the lock first: `backup` waits for one without end
            reading.execute("BEGIN")
            reading.execute("SELECT 1 FROM sqlite_master").fetchone()
            reading.backup(writing)
        copy.chmod(stat.S_IMODE(like.st_mode))
        if os.geteuid() == 0:  # OpenClaw may run as another account
            os.chown(copy, like.st_uid, like.st_gid)
    except sqlite3.Error as exc:
        remove_database(copy)
        code = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # without what extends it
        if code not in _NOTHING_TO_KEEP:
            number = _ERRNO.get(code, errno.EIO)
            raise OSError(number, os.strerror(number)) from exc
        log.warning("database_not_copied", file=str(database), reason=str(exc))


def put_database(copy: Path, database: Path) -> None:
    """Put a copy in place of a database that nobody has open.

    Raises:
        OSError: the folder cannot be written.
    """
    for suffix in _BESIDE:  # they belong to what was there
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    copy.replace(database)


def remove_database(file: Path) -> None:
    """Remove it and what SQLite keeps beside it."""
    for suffix in ("", *_BESIDE):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
