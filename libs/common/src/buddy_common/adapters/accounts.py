"""The accounts of this host: whose a folder is, and where somebody's home is."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Account:
    """An account of this host; `name` is None for our own."""

    uid: int
    name: str | None
    home: Path


def own_uid() -> int:
    """Return the number of the account that we run as."""
    return os.geteuid()


def own_account() -> Account:
    """Return the account that we run as; its home is `HOME`, as everywhere in Buddy."""
    return Account(own_uid(), None, Path.home())


def account_of_uid(uid: int) -> Account:
    """Return the account with that number; one without an entry has its number as name, and no home."""
    if uid == own_uid():
        return own_account()
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(uid, str(uid), Path("/nonexistent"))
    return Account(uid, entry.pw_name, Path(entry.pw_dir))


def account_of_folder(folder: Path) -> Account:
    """Return whose folder it is; ours where it does not exist yet."""
    try:
        return account_of_uid(folder.stat().st_uid)
    except OSError:
        return own_account()


def uid_of(name: str) -> int | None:
    """Return the number of an account, given by its name or its number; None when there is none."""
    if name.isdigit():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None
