"""Reports of incidents: Markdown files in one folder. Every call touches the disk."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from buddy_common.adapters.atomic_file import replace_file
from buddy_common.errors import StateUnwritableError, UnknownReportError
from buddy_common.schemas.heal_views import REPORT_NAME

KEEP = 200
SUFFIX = ".md"
_NAME = re.compile(REPORT_NAME)
# what was written by hand may be of any size; ours have 100 KB at most
MOST_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True)
class Report:
    """One report, without its text."""

    name: str
    size: int
    updated_at: datetime


class Reports:
    """The reports of one node; only the watchdog writes them."""

    def __init__(self, folder: Path, *, keep: int = KEEP) -> None:
        self._folder = folder
        self._keep = keep

    def write(self, name: str, text: str) -> None:
        """Write a report, anew when it is there, and let go of the oldest ones beyond the limit.

        Raises:
            StateUnwritableError: the disk is full, or the folder cannot be written.
            UnknownReportError: no report can have this name.
        """
        path = self._path(name)
        try:
            replace_file(path, text.encode())
            for old in self.listing()[self._keep :]:
                self._path(old.name).unlink(missing_ok=True)
        except OSError as exc:
            raise StateUnwritableError(f"{path} cannot be written: {exc.strerror}.") from exc

    def listing(self) -> list[Report]:
        """Return all reports, the one that was written last first."""
        paths = [path for path in self._folder.glob(f"*{SUFFIX}") if _NAME.fullmatch(path.name)]
        found = [report for path in paths if (report := _look(path)) is not None]
        return sorted(found, key=lambda report: (report.updated_at, report.name), reverse=True)

    def get(self, name: str) -> tuple[Report, str]:
        """Return a report and its text.

        Raises:
            UnknownReportError: there is none of this name.
        """
        path = self._path(name)
        report = _look(path)
        if report is None:
            raise UnknownReportError(name)
        try:
            with path.open("rb") as file:
                return report, file.read(MOST_BYTES).decode(errors="replace")
        except OSError as exc:
            raise UnknownReportError(name) from exc

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise UnknownReportError(name)
        return self._folder / name


def _look(path: Path) -> Report | None:
    """Return what is known of the file; of a link or a folder nothing is."""
    try:
        status = path.lstat()
    except OSError:
        return None
    if not path.is_file() or path.is_symlink():
        return None
    return Report(path.name, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
