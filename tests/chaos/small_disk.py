"""A disk of our own that may be filled: a small tmpfs in a mount namespace that ends with this process."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

IN_NAMESPACE = "BUDDY_CHAOS_IN_NAMESPACE"
DISK_MEGABYTES = 768


def enter_namespace() -> None:
    """Go on in a mount namespace of our own, where that is allowed: what is mounted there ends with us."""
    unshare = shutil.which("unshare")
    if IN_NAMESPACE in os.environ or unshare is None or os.geteuid() != 0:
        return
    command = [unshare, "--mount", "--propagation", "private", "--"]
    if subprocess.run([*command, "true"], check=False, capture_output=True).returncode == 0:
        os.environ[IN_NAMESPACE] = "1"
        os.execv(unshare, [*command, *sys.orig_argv])  # noqa: S606 - this very program, once more


def mount_small_disk(folder: Path) -> bool:
    """Put a small disk on the folder; False where that is not allowed, and no disk is to be filled."""
    if os.environ.get(IN_NAMESPACE) != "1":
        return False
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m,mode=0700", "tmpfs", str(folder)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def unmount(folder: Path) -> None:
    """Take the disk away again, with all that is on it."""
    subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True)
