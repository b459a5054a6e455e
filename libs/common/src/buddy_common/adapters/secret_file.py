"""Files that only their owner may read: the token, first of all."""

import os
import secrets
import tempfile
from contextlib import suppress
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


def known_token(auth: AuthSettings, home: HomeSettings) -> str | None:
    """Return the token: the setting, else what is in the file; None: somebody else has to name it.

    Raises:
        OSError: the file cannot be read.
    """
    if auth.token is not None:
        return auth.token.get_secret_value()
    try:
        return home.token_file.read_text().strip() or None
    except FileNotFoundError:
        return None


def read_or_create_secret(path: Path) -> str:
    """Return the secret in `path`; a missing file is made with a random one, mode 0600.

    Raises:
        OSError: the file can be neither read nor made, or is empty.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        create_whole(path, secrets.token_urlsafe(32).encode() + b"\n")
    secret = path.read_text().strip()
    if not secret:
        raise OSError(f"{path} is empty: remove it, or write a secret into it")
    return secret


def create_whole(path: Path, content: bytes) -> None:
    """Create a file, mode 0600, that nobody ever sees without its content.

    Raises:
        FileExistsError: there is one already; it is left alone.
    """
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)  # unlike a rename, it fails where a file is
    finally:
        Path(temporary).unlink()


def create_private(path: Path) -> BinaryIO:
    """Create a file, mode 0600, for writing.

    Raises:
        FileExistsError: there is one already; it is left alone.
    """
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb")


def append_private(path: Path) -> BinaryIO:
    """Open a file for appending; a new one gets mode 0600."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _PRIVATE), "ab")
