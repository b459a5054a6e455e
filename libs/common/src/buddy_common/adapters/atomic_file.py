"""Files that are replaced whole: after a crash there is the old content or the new, never a third."""

import os
import re
import stat
import tempfile
from pathlib import Path


def replace_file(
    path: Path, content: bytes, *, mode: int = 0o600, like: os.stat_result | None = None
) -> None:
    """Write `content` to `path` by temp file, fsync and rename; `like` gives mode and owner.

    Raises:
        OSError: the disk is full or the folder cannot be written; the old file is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            if like is not None and (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), like.st_uid, like.st_gid)
            os.fchmod(file.fileno(), mode if like is None else stat.S_IMODE(like.st_mode))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def remove_torn(path: Path) -> None:
    """Remove what killed writers of this file have left beside it; for who is its only writer now.

    Raises:
        OSError: the folder cannot be written.
    """
    torn = re.compile(re.escape(f".{path.name}.") + r"[a-z0-9_]{8}")
    for candidate in path.parent.iterdir():
        if torn.fullmatch(candidate.name):
            candidate.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
