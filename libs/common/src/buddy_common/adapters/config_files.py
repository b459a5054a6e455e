"""`openclaw.json` and the files that it includes: read as one, changed in the file that owns a key.

Source: OpenClaw's docs/gateway/configuration/common-tasks.md, "Split config into multiple files".
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyjson5
import structlog

from buddy_common.adapters.atomic_file import StagedFile, discarding, remove_torn, stage_file
from buddy_common.adapters.config_include import read_with_parts, resolve_documents
from buddy_common.adapters.config_owner import has_include, owner_of, unsupported
from buddy_common.adapters.last_good import keep_in_step
from buddy_common.config_diff import KeyChange, apply_change, changes_between
from buddy_common.config_hash import config_hash
from buddy_common.errors import GatewayConfigError, StateUnwritableError
from buddy_common.schemas.backups import ROOT

log = structlog.get_logger(__name__)

_READ_TRIES = 5


@dataclass(frozen=True)
class ConfigState:
    """A config at one moment: its bytes, file by file, and what they say together."""

    root: Path
    files: Mapping[Path, bytes]  # the root first
    config: dict[str, Any]

    @property
    def hash(self) -> str:
        """What clients name it by; it covers all files."""
        return config_hash(self.files.values())

    @property
    def has_includes(self) -> bool:
        """Whether other files are part of it."""
        return len(self.files) > 1

    @property
    def parts(self) -> dict[str, bytes]:
        """The files that it includes."""
        return {str(path): content for path, content in self.files.items() if path != self.root}

    @property
    def is_strict(self) -> bool:
        """Whether all files are plain JSON, so that writing them anew loses no comment."""
        return all(_is_json(content) for content in self.files.values())


class ConfigFiles:
    """The config of one gateway on disk. Every call blocks for milliseconds."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> ConfigState:
        """Return the config as it is now, all files of the same moment.

        Raises:
            GatewayConfigError: there is none, or it cannot be read as JSON5.
        """
        root = self.real_path()
        for _ in range(_READ_TRIES):
            before = _bytes(root)
            config, parts = read_with_parts(self.path)
            files = {root: _bytes(root), **{part: _bytes(part) for part in parts[1:]}}
            if config is not None and before == files[root] and read_with_parts(self.path)[0] == config:
                return ConfigState(root, files, config)
        raise GatewayConfigError(f"{self.path} does not hold still: something writes it all the time.")

    def effective(self, contents: Mapping[str, bytes]) -> dict[str, Any]:
        """Return what the files of a backup say together; a name is relative to the config, or a whole path.

        Raises:
            GatewayConfigError: they cannot be read as JSON5, or one that they include is not among them.
        """
        folder = self.path.absolute().parent.resolve()
        parts = {folder / name: parse_config(content) for name, content in contents.items() if name != ROOT}
        return resolve_documents(self.path, parse_config(contents[ROOT]), parts)

    def is_still(self, state: ConfigState) -> bool:
        """Whether every file holds what it held then."""
        try:
            return all(path.read_bytes() == content for path, content in state.files.items())
        except OSError:
            return False

    def edited(self, state: ConfigState, changes: Sequence[KeyChange]) -> dict[Path, bytes]:
        """Return the new bytes of each file that has to change; nothing is written.

        Raises:
            IncludeUnsupportedError: a key lies where several files overlap.
        """
        new = self._edited(state, changes)
        if state.has_includes:
            self._require_wanted(state, changes, new)
        return {path: to_json(document) for path, document in new.items()}

    def _edited(self, state: ConfigState, changes: Sequence[KeyChange]) -> dict[Path, dict[str, Any]]:
        folders = {state.root: self.path.absolute().parent}  # of a link, what it includes lies beside it
        documents = {path: parse_config(content) for path, content in state.files.items()}
        touched: dict[Path, dict[str, Any]] = {}
        for change in changes:
            owner, inner = owner_of(documents, state.root, change.path, folders)
            if has_include(documents[owner], inner):
                raise unsupported(change.path)
            document = touched.setdefault(owner, deepcopy(documents[owner]))
            apply_change(document, KeyChange(inner, change.old, change.new))
        return touched

    def _require_wanted(
        self, state: ConfigState, changes: Sequence[KeyChange], new: Mapping[Path, dict[str, Any]]
    ) -> None:
        """Check what the files will say together: one may be included twice, or lie over another."""
        documents = {path: parse_config(content) for path, content in state.files.items()} | dict(new)
        wanted = deepcopy(state.config)
        for change in changes:
            apply_change(wanted, change)
        unlike = changes_between(wanted, resolve_documents(self.path, documents[state.root], documents))
        if unlike:
            raise unsupported(unlike[0].path)

    def write(self, files: Mapping[Path, bytes | None], *, may_create: bool = False) -> None:
        """Replace files in this order, each in one step, once all of the new ones are on the disk.

        Mode and owner stay; None removes a file. One that is not there is made only where it `may_create`:
        it is private then, and its folder's owner's.

        Raises:
            StateUnwritableError: a full disk, or missing rights; unless the disk broke between two renames,
                the old files are untouched.
        """
        staged: list[StagedFile] = []
        with discarding(staged):
            for path, content in files.items():
                if content is not None:
                    with _telling(path):
                        _stage(path, content, staged, may_create=may_create)
            new = iter(staged)
            for path, content in files.items():
                with _telling(path):
                    path.unlink(missing_ok=True) if content is None else next(new).commit()
        root = self.real_path()
        written = files.get(root)
        if written is not None:
            keep_in_step(root, written, has_meta=_has_meta(written))

    def sweep(self, paths: Iterable[Path]) -> None:
        """Remove what a killed writer has left beside these files; for who holds the config lock."""
        for path in paths:
            try:
                remove_torn(path)
            except OSError as exc:
                log.warning("torn_file_stays", folder=str(path.parent), reason=exc.strerror)

    def real_path(self) -> Path:
        """Return the file itself: a link to it stays a link."""
        return Path(os.path.realpath(self.path))


def _has_meta(content: bytes) -> bool:
    """Whether OpenClaw's own stamp is in a config."""
    try:
        return "meta" in parse_config(content)
    except GatewayConfigError:
        return False


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise StateUnwritableError(f"{path} cannot be written: {exc.strerror}.") from exc


def _stage(path: Path, content: bytes, staged: list[StagedFile], *, may_create: bool) -> None:
    """Stage a file with the mode and owner of the old one; a new one is private and its folder's owner's."""
    try:
        there = path.stat()
    except FileNotFoundError:
        if not may_create:
            raise
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        staged.append(stage_file(path, content))
        folder = path.parent.stat()
        if (folder.st_uid, folder.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(staged[-1].temporary, folder.st_uid, folder.st_gid)
        return
    staged.append(stage_file(path, content, like=there))


def to_json(document: dict[str, Any]) -> bytes:
    """Return strict JSON, as OpenClaw itself writes it."""
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def read_file(path: Path) -> bytes | None:
    """Return the bytes of one of the files, None where there is none.

    Raises:
        GatewayConfigError: it is there and cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise GatewayConfigError(f"{path} cannot be read: {exc.strerror}.") from exc


def _bytes(path: Path) -> bytes:
    content = read_file(path)
    if content is None:
        raise GatewayConfigError(f"{path} does not exist.")
    return content


def parse_config(content: bytes) -> dict[str, Any]:
    """Return what the bytes of a config say, without their includes.

    Raises:
        GatewayConfigError: they are no object of JSON5.
    """
    try:
        parsed: Any = pyjson5.loads(content.decode("utf-8-sig"))
    except (pyjson5.Json5Exception, UnicodeDecodeError) as exc:
        raise GatewayConfigError(f"This config is not valid JSON5: {exc.args[0]}") from exc
    if not isinstance(parsed, dict):
        raise GatewayConfigError("This config holds no object.")
    return parsed


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True
