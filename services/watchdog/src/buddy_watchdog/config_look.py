"""What `openclaw.json` is at this moment, read anew only when a file of it has changed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from buddy_common.adapters.config_files import ConfigFiles
from buddy_common.errors import GatewayConfigError
from buddy_watchdog.evidence import ConfigLook

Stamp = tuple[int, int, int] | None
_SHOWN_ISSUES = 3
_MODES_THAT_LEAVE_CHANGES = ("off", "hot")  # until a restart: all of them, or those that need one


class ConfigLooker:
    """Looks at the files; what the running gateway says of them is added where there is one."""

    def __init__(self, path: Path) -> None:
        self._files = ConfigFiles(path)
        self._path = path
        self._stamps: dict[Path, Stamp] = {}
        self.config: dict[str, Any] = {}  # the last that could be read
        self._look = ConfigLook(problem="it was not read yet")

    def look(self) -> ConfigLook:
        """Return the hash, and why the files cannot be read where they cannot. Blocks for milliseconds."""
        if self._stamps and self._stamps == {path: _stamp(path) for path in self._stamps}:
            return self._look
        watched = {self._path}
        try:
            state = self._files.read()
        except GatewayConfigError as exc:
            self._look = ConfigLook(problem=exc.message)
        else:
            watched |= state.files.keys()
            self.config = state.config
            self._look = ConfigLook(hash=state.hash)
        self._stamps = {path: _stamp(path) for path in watched}
        return self._look


def judged_by_gateway(look: ConfigLook, answer: Mapping[str, Any]) -> ConfigLook:
    """Return the look with what `config.get` says of the file: whether it is valid, and in force."""
    applied, revision = answer.get("appliedConfigHash"), answer.get("configRevisionHash")
    is_named = applied is not None and revision is not None
    in_force, reloads = not is_named or applied == revision, is_named or _reloads(answer.get("config"))
    if answer.get("valid") is not False:
        return ConfigLook(look.hash, look.problem, applied=in_force, reloads=reloads)
    issues = [issue for issue in answer.get("issues") or [] if isinstance(issue, dict)]
    shown = "; ".join(f"{issue.get('path')}: {issue.get('message')}" for issue in issues[:_SHOWN_ISSUES])
    return ConfigLook(look.hash, look.problem or shown or "OpenClaw does not take it", applied=False)


def _reloads(config: Any) -> bool:
    """Whether the older OpenClaw brings each change into force: by itself, or by a restart of its own."""
    for key in ("gateway", "reload", "mode"):
        config = config.get(key) if isinstance(config, Mapping) else None
    return config not in _MODES_THAT_LEAVE_CHANGES


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
