"""Writing the files of an agent's workspace: whole or not at all, and never outside of it.

The way to a file is walked folder by folder, and no link is followed on it: whoever exchanges a folder
for a link meanwhile makes the write fail, or has it land where the folder is now.
"""

import errno
import fcntl
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from buddy_common.adapters.agent_files import file_tag, locate
from buddy_common.errors import BotFileError, FileChangedError, StateUnwritableError
from buddy_common.schemas.bot_file_jobs import MAX_FILE_BYTES

ANY = "*"
LOCK_SECONDS = 5.0
_TRY_AGAIN_SECONDS = 0.02
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE, _NEW_FOLDER = 0o644, 0o755
_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}


@dataclass(frozen=True)
class FileFacts:
    """What tells one content from another; of a file that is too large to be ours, of its beginning."""

    size: int
    sha256: str


@dataclass(frozen=True)
class WrittenFile:
    """A file as it was read back."""

    tag: str
    size: int
    updated_at: datetime
    before: FileFacts | None
    now: FileFacts


@dataclass(frozen=True)
class _Found:
    """A file that is there."""

    status: os.stat_result
    tag: str
    facts: FileFacts


def write_agent_file(
    workspace: Path, name: str, content: bytes, *, if_match: Collection[str] | None
) -> WrittenFile:
    """Replace a file of the workspace, or make it, folders included; mode and owner of a file stay.

    With `if_match`, only a file with one of these tags is replaced, or any with `*`.

    Raises:
        FileChangedError: the file has another tag, or is not there; it is as it was.
        BotFileError: it lies outside, is no plain file, is read-only or another account's.
        StateUnwritableError: the disk is full or read-only; the old file is untouched.
    """
    with _readable_failures(name):
        path, root = locate(workspace, name), workspace.resolve()
        if not path.is_relative_to(root):  # the workspace has become another link just now
            raise BotFileError(f"{name!r} lies outside of the bot's workspace.")
        if not root.is_dir():
            raise BotFileError(f"The bot has no workspace yet: {root} is no folder. Talk to it once.")
        with _open_folder(root, path, name, may_create=if_match is None) as folder:
            _lock(folder, name)
            found = _look(folder, path.name, name)
            _require(found, if_match, name)
            temporary = _write_beside(folder, content, found, name)
            try:
                _require(_look(folder, path.name, name), if_match, name)  # the bot may write it, too
                os.rename(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                _remove(folder, temporary)
                raise
            os.fsync(folder)
            return _read_back(folder, path.name, name, content, None if found is None else found.facts)


@contextmanager
def _readable_failures(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        problem = f"{name} cannot be written: {exc.strerror}."
        raise (StateUnwritableError if exc.errno in _UNWRITABLE else BotFileError)(problem) from exc


@contextmanager
def _open_folder(root: Path, path: Path, name: str, *, may_create: bool) -> Iterator[int]:
    handle = os.open(root, _FOLDER)
    try:
        for part in path.relative_to(root).parts[:-1]:
            try:
                below = os.open(part, _FOLDER, dir_fd=handle)
            except FileNotFoundError as exc:
                if not may_create:
                    raise FileChangedError(name, etag=None) from exc
                below = _make_folder(handle, part)
            os.close(handle)
            handle = below
        yield handle
    finally:
        os.close(handle)


def _make_folder(parent: int, part: str) -> int:
    with suppress(FileExistsError):  # another writer was faster
        os.mkdir(part, _NEW_FOLDER, dir_fd=parent)
    handle = os.open(part, _FOLDER, dir_fd=parent)
    _give_to_owner(handle, parent)
    return handle


def _lock(folder: int, name: str) -> None:
    """Let writers of this folder take turns, so that of two with the same tag one is refused."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            if time.monotonic() > deadline:
                raise BotFileError(f"The folder of {name} is locked by another program. Try again.") from exc
            time.sleep(_TRY_AGAIN_SECONDS)
        else:
            return


def _look(folder: int, leaf: str, name: str) -> _Found | None:
    try:
        handle = os.open(leaf, _READ, dir_fd=folder)
    except FileNotFoundError:
        return None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise BotFileError(f"{name} is no plain file.")
        with os.fdopen(handle, "rb", closefd=False) as file:
            content = file.read(MAX_FILE_BYTES + 1)
        return _Found(
            status, file_tag(content), FileFacts(status.st_size, hashlib.sha256(content).hexdigest())
        )
    finally:
        os.close(handle)


def _require(found: _Found | None, if_match: Collection[str] | None, name: str) -> None:
    if if_match is None:
        return
    tag = None if found is None else found.tag
    if tag is None or (tag not in if_match and ANY not in if_match):
        raise FileChangedError(name, etag=tag)


def _write_beside(folder: int, content: bytes, found: _Found | None, name: str) -> str:
    temporary = f".buddy-{secrets.token_hex(8)}.tmp"
    with os.fdopen(os.open(temporary, _CREATE, 0o600, dir_fd=folder), "wb") as file:
        try:
            if found is None:
                _give_to_owner(file.fileno(), folder)
                os.fchmod(file.fileno(), _NEW_FILE)
            else:
                _keep_owner_and_mode(file.fileno(), found.status, name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            _remove(folder, temporary)
            raise
    return temporary


def _keep_owner_and_mode(handle: int, status: os.stat_result, name: str) -> None:
    if not status.st_mode & 0o222:
        raise BotFileError(f"{name} is read-only. Somebody wanted it to stay: `chmod u+w` allows changes.")
    ours = os.fstat(handle)
    if (ours.st_uid, ours.st_gid) != (status.st_uid, status.st_gid):
        try:
            os.fchown(handle, status.st_uid, status.st_gid)
        except PermissionError as exc:
            raise BotFileError(f"{name} belongs to another account. Run Buddy as that account.") from exc
    os.fchmod(handle, stat.S_IMODE(status.st_mode) & 0o777)


def _give_to_owner(handle: int, folder: int) -> None:
    """What root makes belongs to whom its folder belongs: OpenClaw may run as another account."""
    if os.geteuid() == 0:
        owner = os.fstat(folder)
        os.fchown(handle, owner.st_uid, owner.st_gid)


def _remove(folder: int, temporary: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=folder)


def _read_back(folder: int, leaf: str, name: str, content: bytes, before: FileFacts | None) -> WrittenFile:
    found = _look(folder, leaf, name)
    if found is None or found.tag != file_tag(content):  # the bot wrote it at the same moment
        raise FileChangedError(name, etag=None if found is None else found.tag)
    changed = datetime.fromtimestamp(found.status.st_mtime, UTC)
    return WrittenFile(found.tag, len(content), changed, before, found.facts)
