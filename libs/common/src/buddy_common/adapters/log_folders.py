"""Where OpenClaw writes its logs, and whether what lies there is its own."""

import os
import stat
import tempfile
from pathlib import Path


def openclaw_log_folders() -> tuple[Path, ...]:
    """Return where OpenClaw logs: the first, or where another account owns that, the second."""
    preferred = Path("/tmp/openclaw")  # noqa: S108 - OpenClaw's choice; `is_own_folder` looks whose it is
    return preferred, Path(tempfile.gettempdir()) / f"openclaw-{os.getuid()}"


def is_own_folder(folder: Path) -> bool:
    """Whether OpenClaw would write there: anybody could make such a folder below /tmp."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
