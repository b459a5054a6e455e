"""Taking the folder of an installed skill out of OpenClaw's sight, so that it can be put back."""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from buddy_common.adapters.atomic_file import replace_file
from buddy_common.adapters.moved_folder import move_folder
from buddy_common.errors import SkillElsewhereError, StateUnwritableError

SKILLS = "skills"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LOCK_FOLDERS = (".clawhub", ".clawdhub")  # the second is an older name of the first
_LOCK_FILE = "lock.json"


def archive_skill(folder: Path, *, owners: list[Path], archive: Path) -> tuple[Path, Path]:
    """Move a folder below the `skills` of one of the owners into the archive.

    Returns where it is now, and the owner. A folder that is a link is moved as the link that it is.

    Raises:
        SkillElsewhereError: it is in none of them, or not there.
        StateUnwritableError: it cannot be moved; it is where it was.
    """
    owner, parts = _find_owner(folder, owners)
    target = archive / SKILLS / f"{folder.name[:60]}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _open_below(owner / SKILLS, parts) as parent:
            if not os.path.lexists(folder):
                raise SkillElsewhereError(str(folder))
            move_folder(folder, target, parent=parent)
    except NotADirectoryError as exc:  # a link on the way
        raise SkillElsewhereError(str(folder)) from exc
    except OSError as exc:
        raise StateUnwritableError(f"{folder} cannot be moved to {target}: {exc.strerror}.") from exc
    return target, owner


def forget_skill(owner: Path, slug: str) -> bool:
    """Take the skill out of what ClawHub installed there; False where it is not in that, or that is no JSON.

    Raises:
        StateUnwritableError: the file cannot be written; it is as it was.
    """
    removed = False
    for name in _LOCK_FOLDERS:
        file = owner / name / _LOCK_FILE
        lock = _read_lock(file)
        if lock is None or lock["skills"].pop(slug, None) is None:
            continue
        before = file.stat()
        try:
            replace_file(
                file,
                json.dumps(lock, indent=2, ensure_ascii=False).encode() + b"\n",
                mode=before.st_mode & 0o777,
            )
            if os.geteuid() == 0:  # OpenClaw may run as another account
                os.chown(file, before.st_uid, before.st_gid)
        except OSError as exc:
            raise StateUnwritableError(f"{file} cannot be written: {exc.strerror}.") from exc
        removed = True
    return removed


def _find_owner(folder: Path, owners: list[Path]) -> tuple[Path, tuple[str, ...]]:
    """Return whose skill it is, and the folders between the owner's `skills` and the skill itself."""
    try:
        parent = folder.parent.resolve()
        for owner in owners:
            root = (owner / SKILLS).resolve()
            if folder.name not in ("", "..") and parent.is_relative_to(root):
                return root.parent, parent.relative_to(root).parts
    except (OSError, RuntimeError, ValueError) as exc:  # a loop of links, a NUL
        raise SkillElsewhereError(str(folder)) from exc
    raise SkillElsewhereError(str(folder))


@contextmanager
def _open_below(root: Path, parts: tuple[str, ...]) -> Iterator[int]:
    """Walk folder by folder: one that has become a link since we looked ends it."""
    handle = os.open(root, _FOLDER)
    try:
        for part in parts:
            below = os.open(part, _FOLDER, dir_fd=handle)
            os.close(handle)
            handle = below
        yield handle
    finally:
        os.close(handle)


def _read_lock(file: Path) -> dict[str, Any] | None:
    """Return what ClawHub installed there; None where nobody knows, or a link leads somewhere else."""
    if file.is_symlink() or file.parent.is_symlink():
        return None
    with suppress(OSError, ValueError):
        lock = json.loads(file.read_bytes())
        if isinstance(lock, dict) and isinstance(lock.get("skills"), dict):
            return lock
    return None
