"""The messages that the WeChat plugin keeps to quote them: what it drops when it drops an account."""

import hashlib
import re
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from buddy_common.errors import StateUnwritableError
from buddy_common.schemas.wechat import PLUGIN

BUSY_SECONDS = 5.0  # the plugin itself waits as long for whoever writes
_MEDIA = ("media/inbound/openclaw-weixin-quotes", f"{PLUGIN}/ref-media")  # now, and of earlier plugins


def forget_messages(state_dir: Path, accounts: Iterable[str]) -> None:
    """Drop what is kept of the messages of these accounts, if anything is. Blocks.

    Raises:
        StateUnwritableError: it cannot be dropped, or somebody writes there all the time.
    """
    names = list(accounts)
    database = state_dir / PLUGIN / "ref-messages.sqlite"
    try:
        if database.is_file():
            _delete_rows(database, names)
        for folder in (state_dir / parent / _media_folder(name) for parent in _MEDIA for name in names):
            if folder.is_dir():
                shutil.rmtree(folder)
    except (OSError, sqlite3.Error) as exc:
        raise StateUnwritableError(f"The messages in {database.parent} cannot be removed: {exc}.") from exc


def _delete_rows(database: Path, accounts: list[str]) -> None:
    address = f"file:{quote(str(database))}?mode=rw"
    with closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)) as connection, connection:
        connection.execute("PRAGMA secure_delete = ON")  # else the texts stay in the file
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'quote_messages'").fetchone():
            return
        connection.executemany(
            "DELETE FROM quote_messages WHERE account_id = ?", [(account,) for account in accounts]
        )


def _media_folder(account: str) -> str:
    """Return the plugin's own name for it."""
    name = re.sub(r"[^a-z0-9._-]+", "_", account.strip().lower())
    name = re.sub(r"\.\.+", "_", name)
    readable = name if name not in ("", ".", "..") else "default"
    return f"{readable[:48]}-{hashlib.sha256(account.encode()).hexdigest()[:16]}"
