"""The plugins of the older OpenClaw: a folder each, which can be put back without a registry.

Its commands load every plugin that is enabled, so one that ends the process could not be taken out by them.
"""

import json
import os
import shutil
from collections.abc import Set as AbstractSet
from pathlib import Path

from buddy_common.errors import StateUnwritableError


class PluginFolders:
    """One copy at a time, of the folder that is about to change. Blocks while it copies."""

    def __init__(self, extensions: Path, copies: Path) -> None:
        self.extensions = extensions
        self.copies = copies

    def names(self) -> frozenset[str]:
        """Return which folders there are."""
        try:
            return frozenset(folder.name for folder in self.extensions.iterdir() if folder.is_dir())
        except OSError:
            return frozenset()

    def keep(self, name: str) -> None:
        """Keep a copy of a folder; where there is none, of none.

        Raises:
            StateUnwritableError: there is no room for it.
        """
        self.forget()
        folder = self.extensions / name
        if not folder.is_dir() or folder.is_symlink():
            return
        try:
            shutil.copytree(folder, self.copies / name, symlinks=True)
        except OSError as exc:
            raise StateUnwritableError(f"{folder} cannot be copied: {exc}.") from exc

    def put_back(self, name: str) -> None:
        """Replace a folder by its copy, if one is kept; one that is still the same is left alone.

        Raises:
            StateUnwritableError: the folder cannot be written.
        """
        copy, folder = self.copies / name, self.extensions / name
        if not copy.is_dir():
            return
        try:
            if _tree(copy) == _tree(folder):
                return
            if folder.is_dir() and not folder.is_symlink():
                shutil.rmtree(folder)
            shutil.copytree(copy, folder, symlinks=True)
        except OSError as exc:
            raise StateUnwritableError(f"{folder} cannot be put back: {exc}.") from exc

    def remove_new(self, before: AbstractSet[str], *, package: str) -> frozenset[str]:
        """Remove the folders that hold this package and were not there before; return their names.

        Raises:
            StateUnwritableError: one cannot be removed.
        """
        removed = set()
        for name in self.names() - before:
            folder = self.extensions / name
            if _package_in(folder) != package or folder.is_symlink():
                continue
            try:
                shutil.rmtree(folder)
            except OSError as exc:
                raise StateUnwritableError(f"{folder} cannot be removed: {exc}.") from exc
            removed.add(name)
        return frozenset(removed)

    def forget(self) -> None:
        """Drop the copy."""
        shutil.rmtree(self.copies, ignore_errors=True)


def _tree(folder: Path) -> set[tuple[str, int, int]]:
    """Return what lies in a folder: names, sizes and times, which copies have as well."""
    found = set()
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place, name)
            known = path.lstat()
            size = 0 if path.is_dir() else known.st_size
            found.add((str(path.relative_to(folder)), size, 0 if path.is_dir() else known.st_mtime_ns))
    return found


def _package_in(folder: Path) -> str | None:
    try:
        found = json.loads((folder / "package.json").read_bytes())
    except (OSError, ValueError):
        return None
    name = found.get("name") if isinstance(found, dict) else None
    return name if isinstance(name, str) else None
