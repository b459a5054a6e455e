"""Moving a folder, to another disk too: it is whole in one of the two places at any moment."""

import errno
import os
import secrets
import shutil
from pathlib import Path

from buddy_common.adapters.atomic_file import sync


def move_folder(folder: Path, target: Path, *, parent: int) -> None:
    """Move a folder, or the link that it is, to where nothing is; `parent` is its own parent, opened.

    Raises:
        OSError: it cannot be moved; it is where it was, and nothing is at the target.
    """
    try:
        os.rename(folder.name, target, src_dir_fd=parent)
    except OSError as exc:
        if exc.errno != errno.EXDEV:
            raise
        _move_to_other_disk(folder, target, parent=parent)


def _move_to_other_disk(folder: Path, target: Path, *, parent: int) -> None:
    if folder.is_symlink():
        target.symlink_to(os.readlink(folder.name, dir_fd=parent))
        os.unlink(folder.name, dir_fd=parent)
        return
    hidden = f".buddy-{secrets.token_hex(8)}"
    copy = target.with_name(hidden)
    try:
        _copy(folder, copy)
        copy.replace(target)
        sync(target.parent)
        os.rename(folder.name, hidden, src_dir_fd=parent, dst_dir_fd=parent)
    except BaseException:
        for path in (copy, target):
            shutil.rmtree(path, ignore_errors=True)
        raise
    shutil.rmtree(folder.with_name(hidden), ignore_errors=True)  # nobody sees what is left of it


def _copy(folder: Path, copy: Path) -> None:
    """Copy it onto the disk, each file with its owner."""
    try:
        shutil.copytree(folder, copy, symlinks=True, copy_function=_copy_file)
    except shutil.Error as exc:
        failed = exc.args[0]
        raise OSError(errno.EIO, f"{len(failed)} of its files could not be copied: {failed[0][-1]}") from exc
    for place, _, _ in os.walk(copy):
        _keep(folder / Path(place).relative_to(copy), Path(place))


def _copy_file(source: str, target: str) -> None:
    shutil.copy2(source, target, follow_symlinks=False)
    _keep(Path(source), Path(target))


def _keep(source: Path, target: Path) -> None:
    """Give it the owner, and to the disk."""
    if os.geteuid() == 0:  # OpenClaw may run as another account
        owner = source.stat()
        os.chown(target, owner.st_uid, owner.st_gid)
    sync(target)
