"""Files that only their owner may read: the token, first of all."""

import os
import secrets
from pathlib import Path
from typing import BinaryIO

from buddy_common.settings import AuthSettings, HomeSettings

_PRIVATE = 0o600


def resolve_token(auth: AuthSettings, home: HomeSettings) -> str:
    """Return the token: the setting, else the file, which is made when missing.

    Raises:
        OSError: the file can be neither read nor made.
    """
    if auth.token is not None:
        return auth.token.get_secret_value()
    return read_or_create_secret(home.token_file)


def read_or_create_secret(path: Path) -> str:
    """Return the secret in `path`; a missing file is made with a random one, mode 0600.

    Raises:
        OSError: the file can be neither read nor made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with create_private(path) as file:
            file.write(secrets.token_urlsafe(32).encode() + b"\n")
    except FileExistsError:
        pass
    return path.read_text().strip()


def create_private(path: Path) -> BinaryIO:
    """Create a file, mode 0600, for writing.

    Raises:
        FileExistsError: there is one already; it is left alone.
    """
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb")


def append_private(path: Path) -> BinaryIO:
    """Open a file for appending; a new one gets mode 0600."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _PRIVATE), "ab")
