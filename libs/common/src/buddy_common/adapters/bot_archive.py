"""What is kept of bots that were deleted: their entry in the config and their folders."""

import os
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from buddy_common.adapters.atomic_file import replace_file
from buddy_common.adapters.database_copy import copy_database, put_database
from buddy_common.adapters.moved_folder import move_folder
from buddy_common.adapters.transcripts import DATABASE
from buddy_common.errors import StateUnwritableError, UnknownArchiveError, WorkspaceInUseError

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}@\d{8}-\d{6}(?:-\d+)?")
_RECORD = "bot.json"


@dataclass(frozen=True)
class Archived:
    """A deleted bot; `folders` says where each of its folders was."""

    name: str
    bot: str
    entry: dict[str, Any]
    folders: dict[str, str]


class _Record(BaseModel):
    """What is written down of a deleted bot."""

    bot: str
    entry: dict[str, Any]
    folders: dict[str, str]


class BotArchive:
    """One folder per deleted bot. Every call blocks, longer where folders change the file system."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, bot: str, *, entry: dict[str, Any], folders: Mapping[str, Path | None]) -> Archived:
        """Write down what is about to be deleted; its folders stay where they are.

        Raises:
            StateUnwritableError: the disk is full.
        """
        present = {key: str(path) for key, path in folders.items() if path is not None and path.is_dir()}
        archived = Archived(self._free_name(bot), bot, entry, present)
        record = _Record(bot=bot, entry=entry, folders=present)
        try:
            replace_file(self._folder / archived.name / _RECORD, record.model_dump_json().encode())
        except OSError as exc:
            raise StateUnwritableError(f"{self._folder} cannot be written: {exc.strerror}.") from exc
        return archived

    def keep_sessions(self, archived: Archived) -> None:
        """Copy the database of the bot's sessions, which OpenClaw empties before its folder is moved in.

        Raises:
            StateUnwritableError: the disk is full.
        """
        folder = archived.folders.get("agent")
        if folder is None or not (database := Path(folder) / DATABASE).is_file():
            return
        try:
            copy_database(database, self._folder / archived.name / DATABASE.name)
        except OSError as exc:
            raise StateUnwritableError(f"{self._folder} cannot be written: {exc.strerror}.") from exc

    def take_in(self, archived: Archived) -> None:
        """Move the folders in that are not in yet, with the sessions that were kept before.

        Raises:
            StateUnwritableError: one cannot be moved; it is still where it was.
        """
        for key, path in archived.folders.items():
            kept = self._folder / archived.name / key
            if Path(path).is_dir() and not kept.exists():
                self._move(Path(path), kept)
        self._bring_in_sessions(archived)

    def held(self, archived: Archived) -> Archived:
        """Return the same with those folders only that are in the archive; others never left their place."""
        folders = {
            key: path
            for key, path in archived.folders.items()
            if (self._folder / archived.name / key).is_dir()
        }
        return replace(archived, folders=folders)

    def give_back(self, archived: Archived) -> None:
        """Move the folders that are in the archive back to where they were.

        Raises:
            WorkspaceInUseError: something else is there now; nothing was moved.
            StateUnwritableError: one cannot be moved.
        """
        held = self.held(archived).folders
        for path in held.values():
            if not _is_free(Path(path)):
                raise WorkspaceInUseError(path)
        for key, path in held.items():
            self._move(self._folder / archived.name / key, Path(path))

    def give_sessions_back(self, archived: Archived) -> None:
        """Put back the sessions of a bot whose folder has never come in, and was emptied where it is.

        Raises:
            StateUnwritableError: the disk is full.
        """
        place = self._folder / archived.name
        folder, copy = archived.folders.get("agent"), place / DATABASE.name
        if folder is None or not copy.is_file() or (place / "agent").is_dir():
            return
        database = Path(folder) / DATABASE
        staged = database.with_name(f".{database.name}.buddy")
        try:
            database.parent.mkdir(parents=True, exist_ok=True)
            copy_database(copy, staged)
            if staged.is_file():
                put_database(staged, database)
        except OSError as exc:
            raise StateUnwritableError(f"{database} cannot be written: {exc.strerror}.") from exc

    def drop(self, name: str) -> None:
        """Forget a bot whose folders are not in the archive."""
        shutil.rmtree(self._folder / name, ignore_errors=True)

    def find(self, bot: str, name: str | None) -> Archived:
        """Return what is kept under a name, or the newest of a bot.

        Raises:
            UnknownArchiveError: there is none.
        """
        kept = [archived for archived in self.listing() if archived.bot == bot]
        wanted = [archived for archived in kept if name in (None, archived.name)]
        if not wanted:
            raise UnknownArchiveError(name or bot, known=[archived.name for archived in self.listing()])
        return wanted[0]

    def listing(self) -> list[Archived]:
        """Return all that is kept, newest first."""
        folders = self._folder.glob("*/") if self._folder.is_dir() else ()
        names = [folder.name for folder in folders if _NAME.fullmatch(folder.name)]
        return [
            archived
            for name in sorted(names, key=_age, reverse=True)
            if (archived := self._read(name)) is not None
        ]

    def _read(self, name: str) -> Archived | None:
        try:
            record = _Record.model_validate_json((self._folder / name / _RECORD).read_bytes())
        except (OSError, ValueError):
            return None
        return Archived(name, record.bot, record.entry, record.folders)

    def _free_name(self, bot: str) -> str:
        base = f"{bot}@{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
        number = 1
        name = base
        while (self._folder / name).exists():
            number += 1
            name = f"{base}-{number}"
        return name

    def _bring_in_sessions(self, archived: Archived) -> None:
        copy = self._folder / archived.name / DATABASE.name
        database = self._folder / archived.name / "agent" / DATABASE
        try:
            if copy.is_file() and database.is_file():
                put_database(copy, database)
        except OSError as exc:
            raise StateUnwritableError(f"{database} cannot be written: {exc.strerror}.") from exc

    @staticmethod
    def _move(source: Path, target: Path) -> None:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir():  # an empty one; into it is not what is meant
                target.rmdir()
            parent = os.open(source.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                move_folder(source, target, parent=parent)
            finally:
                os.close(parent)
        except OSError as exc:
            raise StateUnwritableError(f"{source} cannot be moved to {target}: {exc.strerror}.") from exc


def _age(name: str) -> tuple[str, int]:
    """Return the moment of a name, and which one of that second it is."""
    date, time_of_day, *number = name.partition("@")[2].split("-")
    return date + time_of_day, int(number[0]) if number else 1


def _is_free(path: Path) -> bool:
    """Whether nothing is there, or an empty folder."""
    if path.is_symlink() or path.is_file():
        return False
    return not path.exists() or not any(path.iterdir())
