"""A small disk for one folder, which only this thread and what it starts can see; Linux, and root."""

import ctypes
import errno
import os
import sys
from pathlib import Path

CLONE_NEWNS = 0x00020000  # linux/sched.h
MS_RDONLY, MS_REMOUNT, MS_REC, MS_PRIVATE = 1, 32, 16384, 1 << 18  # linux/mount.h
MNT_DETACH = 2


class SmallDisk:
    """A tmpfs in a mount namespace of its own; `refusal` says why there is none."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        self.refusal: str | None = None
        self._before: int | None = None
        self._filler = folder / "filler"
        folder.mkdir(parents=True, exist_ok=True)
        if sys.platform != "linux":
            self.refusal = "mount namespaces are Linux's"
            return
        self._libc = ctypes.CDLL(None, use_errno=True)
        before = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._call("unshare", CLONE_NEWNS)
        except OSError as exc:
            os.close(before)
            if exc.errno not in {errno.EPERM, errno.ENOSYS}:
                raise
            self.refusal = (
                f"no mount namespace of its own can be made here ({exc.strerror}); run it as root, or by"
                " `unshare --user --map-root-user --mount`"
            )
            return
        self._before = before
        self._mount(b"none", "/", None, MS_REC | MS_PRIVATE)
        self._mount(b"tmpfs", folder, b"tmpfs", 0, f"size={megabytes}m,mode=700".encode())

    def fill(self) -> None:
        """Leave no byte free."""
        free = os.statvfs(self.folder)
        with self._filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)

    def clear(self) -> None:
        """Give the space back."""
        self._filler.unlink()

    def freeze(self, *, on: bool) -> None:
        """Let nobody write, or everybody again."""
        self._mount(b"tmpfs", self.folder, b"tmpfs", MS_REMOUNT | (MS_RDONLY if on else 0))

    def close(self, *, for_good: bool = False) -> None:
        """Take the disk away and return to where the thread came from; `for_good`: the thread ends now.

        It can only return once no thread is left that it has started.
        """
        if self._before is not None:
            self._call("umount2", os.fsencode(self.folder), MNT_DETACH)
            if not for_good:
                self._call("setns", self._before, CLONE_NEWNS)
            os.close(self._before)

    def _mount(
        self, source: bytes, target: Path | str, kind: bytes | None, flags: int, data: bytes | None = None
    ) -> None:
        self._call("mount", source, os.fsencode(target), kind, ctypes.c_ulong(flags), data)

    def _call(self, name: str, *arguments: object) -> None:
        if getattr(self._libc, name)(*arguments) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), name)
