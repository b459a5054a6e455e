"""Which files each log stream shows."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from buddy_common.adapters.config_watch import WatchedConfig
from buddy_common.adapters.log_folders import is_own_folder, openclaw_log_folders
from buddy_common.adapters.openclaw_config import gateway_token, section

# a record of 23:59:59 may be written a little later
_LATE = timedelta(minutes=2)


class LogSource(Protocol):
    """Looked at again and again, in a thread: files come and go."""

    def files(self) -> list[Path]:
        """Return what is written to now; it may be missing."""
        ...

    def history(self) -> list[list[Path]]:
        """Return the same with what was written before, each as a chain, the oldest first."""
        ...

    def secrets(self) -> list[str]:
        """Return texts that must not be shown."""
        ...


class GatewayLogs:
    """OpenClaw's own log, by date or as `logging.file` says, and what the gateway wrote to its output."""

    def __init__(
        self,
        config_file: Path,
        *,
        capture: Path,
        folders: tuple[Path, ...] | None = None,
        now: Callable[[], datetime] = datetime.now,  # local time, as OpenClaw names its files
    ) -> None:
        self._config = WatchedConfig(config_file)
        self._capture = capture
        self._folders = folders or openclaw_log_folders()
        self._now = now

    def files(self) -> list[Path]:
        """Return today's file, or the one that is configured, and the capture."""
        now = self._now()
        days = {(now - _LATE).date(), now.date()}
        return [*(file for day in sorted(days) for file in self._of_day(day.isoformat())), self._capture]

    def history(self) -> list[list[Path]]:
        """Return yesterday's before today's, and the capture that was put aside before this one."""
        now = self._now()
        today = self._of_day(now.date().isoformat())
        yesterday = self._of_day((now - timedelta(days=1)).date().isoformat())
        chains = [[file] if file == old else [old, file] for old, file in zip(yesterday, today, strict=True)]
        return [*chains, [self._capture.with_suffix(".1.log"), self._capture]]

    def secrets(self) -> list[str]:
        """Return the gateway's token."""
        token = gateway_token(self._config.config)
        return [token] if token else []

    def _of_day(self, day: str) -> list[Path]:
        self._config.refresh()
        configured = section(self._config.config, "logging").get("file")
        if isinstance(configured, str) and configured:
            return [Path(configured).expanduser()]
        return [folder / f"openclaw-{day}.log" for folder in self._folders if is_own_folder(folder)]


class BuddyLogs:
    """The logs of Buddy's own services on this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def files(self) -> list[Path]:
        """Return the logs that services write; those of gateways have a stream of their own."""
        return [file for file in sorted(self._folder.glob("*.log")) if not file.name.startswith("gateway-")]

    def history(self) -> list[list[Path]]:
        """Return each with the file that was rotated last."""
        return [[file.with_name(f"{file.name}.1"), file] for file in self.files()]

    def secrets(self) -> list[str]:
        """Nothing beyond what is masked everywhere: our logs never held one."""
        return []
