"""Files that are replaced whole: after a crash there is the old content or the new, never a third."""

import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StagedFile:
    """New content of a file that lies beside it, whole and on the disk, until it takes its place."""

    path: Path
    temporary: Path

    def commit(self) -> None:
        """Take the place of the file.

        Raises:
            OSError: the folder cannot be written; the old file is untouched.
        """
        self.temporary.replace(self.path)
        sync(self.path.parent)

    def discard(self) -> None:
        """Remove what was not committed."""
        self.temporary.unlink(missing_ok=True)


def stage_file(
    path: Path, content: bytes, *, mode: int = 0o600, like: os.stat_result | None = None
) -> StagedFile:
    """Write `content` beside `path` by temp file and fsync; `like` gives mode and owner.

    Raises:
        OSError: the disk is full or the folder cannot be written; nothing is left.
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
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return StagedFile(path, Path(temporary))


def replace_file(
    path: Path, content: bytes, *, mode: int = 0o600, like: os.stat_result | None = None
) -> None:
    """Write `content` to `path` by temp file, fsync and rename; `like` gives mode and owner.

    Raises:
        OSError: the disk is full or the folder cannot be written; the old file is untouched.
    """
    with discarding([stage_file(path, content, mode=mode, like=like)]) as staged:
        staged[0].commit()


@contextmanager
def discarding(staged: list[StagedFile]) -> Iterator[list[StagedFile]]:
    """Let files be staged into the list and committed; when that fails, remove those that were not."""
    try:
        yield staged
    except BaseException:
        for file in staged:
            with suppress(OSError):  # what has failed first is what is told
                file.discard()
        raise


def remove_torn(path: Path) -> None:
    """Remove what killed writers of this file have left beside it; for who is its only writer now.

    Raises:
        OSError: the folder cannot be written.
    """
    torn = re.compile(re.escape(f".{path.name}.") + r"[a-z0-9_]{8}")
    for candidate in path.parent.iterdir():
        if torn.fullmatch(candidate.name):
            candidate.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk.

    Raises:
        OSError: it cannot be opened or written.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
