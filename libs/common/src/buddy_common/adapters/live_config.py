"""`openclaw.json` and the files that it includes, as bytes: read together, each replaced whole."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from buddy_common.adapters.config_files import ConfigFiles, read_file
from buddy_common.adapters.config_include import include_roots, read_with_parts
from buddy_common.config_hash import config_hash
from buddy_common.errors import ConfigRejectedError, GatewayConfigError
from buddy_common.schemas.backups import ROOT


@dataclass(frozen=True)
class LiveFile:
    """The root file at one moment."""

    content: bytes
    updated_at: datetime


class LiveConfig:
    """The config of one gateway. A name is that of a part: a path in the config's folder, or absolute."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files = ConfigFiles(root)

    def look(self) -> LiveFile | None:
        """Return the root file, None where it is missing or cannot be read."""
        try:
            with self._root.open("rb") as file:
                changed = self._root.stat().st_mtime
                return LiveFile(file.read(), datetime.fromtimestamp(changed, UTC))
        except OSError:
            return None

    def read(self, also: Iterable[str] = ()) -> dict[str, bytes]:
        """Return the files that are there: the root, its parts, and those that are named.

        Of a root file that cannot be parsed the parts are not known.

        Raises:
            GatewayConfigError: a file is there and cannot be read.
            ConfigRejectedError: a name leads out of where the config may lie.
        """
        targets = {ROOT: self._root} | {name: self._target(name) for name in also} | self._parts()
        found = {name: read_file(path) for name, path in targets.items()}
        return {name: content for name, content in found.items() if content is not None}

    def hash(self) -> str:
        """Return what clients name the config by as it is now.

        Raises:
            GatewayConfigError: a file is there and cannot be read.
        """
        return config_hash(self.read().values())

    def write(self, contents: Mapping[str, bytes | None]) -> None:
        """Replace the files, the root last, since it decides which others count; None removes one.

        Mode and owner of a file stay. A link stays, and what it leads to is replaced.

        Raises:
            ConfigRejectedError: a name leads out of where the config may lie; nothing is written.
            StateUnwritableError: a file could not be written; unless the disk broke between two renames,
                none is.
        """
        names = sorted(contents, key=lambda name: name == ROOT)
        self._files.write({self._target(name): contents[name] for name in names}, may_create=True)

    def named(self, contents: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return a backup's files under the names that they have here; it may name them by whole paths."""
        folder = self._root.absolute().parent.resolve()
        return {_name(Path(name), folder): content for name, content in contents.items()}

    def _target(self, name: str) -> Path:
        if name == ROOT:
            return self._files.real_path()
        try:
            path = (self._root.absolute().parent / name).resolve()
        except (OSError, RuntimeError, ValueError) as exc:  # a loop of links, a NUL
            raise ConfigRejectedError(f"{name!r} names no file: {exc}") from exc
        inside = any(path.is_relative_to(root) for root in include_roots(self._root))
        if not inside or path == self._files.real_path():
            raise ConfigRejectedError(f"{name!r} lies outside of where parts of openclaw.json may lie.")
        return path

    def _parts(self) -> dict[str, Path]:
        try:
            _, files = read_with_parts(self._root)
        except GatewayConfigError:
            return {}
        folder = self._root.absolute().parent.resolve()
        return {_name(file, folder): file for file in files[1:]}


def _name(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else str(file)
