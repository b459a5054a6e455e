"""`openclaw.json` as it is now, read again only when it, or a file that it includes, has changed."""

from pathlib import Path
from typing import Any

from buddy_common.adapters.config_include import read_with_parts
from buddy_common.errors import GatewayConfigError

Stamp = tuple[tuple[str, int, int, int], ...]


class WatchedConfig:
    """The config of one gateway. Looking for a change is a stat(2) per file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parts = [path]
        self._stamp: Stamp | None = None
        self.folder = path.parent
        self.version = 0  # one more with each change
        self.config: dict[str, Any] = {}  # the last that could be read
        self.known = False  # whether one was ever read: until then `config` says nothing
        self.problem: GatewayConfigError | None = None  # why that is not what the file says now

    def refresh(self) -> bool:
        """Read the files if they have changed; whether they had."""
        stamp = self._look()
        if stamp == self._stamp and self.problem is None:  # else what is wrong may be a file not known yet
            return False
        try:
            config, parts = self._read()
            if parts != self._parts:  # read again, so that no edit falls between the reading and the look
                self._parts = parts
                stamp = self._look()
                config, self._parts = self._read()
        except GatewayConfigError as exc:
            known = self.problem is not None and self.problem.message == exc.message
            self.problem = exc
            if known and stamp == self._stamp:
                return False
        else:
            self.config, self.known, self.problem = config or {}, True, None
        self._stamp = stamp
        self.version += 1
        return True

    def _read(self) -> tuple[dict[str, Any] | None, list[Path]]:
        config, parts = read_with_parts(self._path)
        if config is None and self.config:  # the gateway goes on with what it has read, and so do we
            raise GatewayConfigError(f"{self._path} is gone.")
        return config, parts

    def _look(self) -> Stamp:
        return tuple(_stamp(part) for part in self._parts)


def _stamp(file: Path) -> tuple[str, int, int, int]:
    """What changes with a file: a replaced one has another inode, an edited one another time or size."""
    try:
        found = file.stat()
    except OSError:
        return str(file), 0, 0, 0
    return str(file), found.st_ino, found.st_mtime_ns, found.st_size
