"""A second disk, on which nothing can be renamed from the first one."""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest


def be_on_another_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the target were: a rename inside of one folder still works."""
    rename = os.rename

    def refuse(source: Any, target: Any, **where: int) -> None:
        if "dst_dir_fd" not in where:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(source, target, **where)

    monkeypatch.setattr(os, "rename", refuse)


def fill_up(monkeypatch: pytest.MonkeyPatch, *, after_files: int) -> None:
    """Have the disk be full after so many files were copied; what is copied then is torn."""
    copy, copied = shutil.copyfile, []

    def copy_some(source: Any, target: Any, **options: Any) -> Any:
        copied.append(source)
        if len(copied) <= after_files:
            return copy(source, target, **options)
        Path(target).write_bytes(Path(source).read_bytes()[:1])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", copy_some)
