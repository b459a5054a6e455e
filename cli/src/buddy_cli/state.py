"""What a running `buddy up` leaves on disk, so that `down` and `status`, and the next `up`, find it."""

import json
import signal
import time
from pathlib import Path

from pydantic import BaseModel

from buddy_cli.planes import Plane
from buddy_common.adapters import processes
from buddy_common.adapters.atomic_file import replace_file
from buddy_common.schemas.processes import ProcessIdentity

TERM_SECONDS = 6.0
POLL_SECONDS = 0.05  # psutil can wait, but for a zombie's parent, too


class ProcessRecord(BaseModel):
    """A process by pid and start time (seconds after boot)."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "ProcessRecord | None":
        """Return the record of a living process."""
        identity = processes.identify(pid)
        return None if identity is None else cls(pid=pid, started=identity.started)

    @property
    def alive(self) -> bool:
        """Whether it is still the same process."""
        return processes.is_alive(self._identity)

    def signal(self, number: signal.Signals) -> None:
        """Signal it, if it is still the same process."""
        processes.send_signal(self._identity, number)

    @property
    def _identity(self) -> ProcessIdentity:
        return ProcessIdentity(self.pid, self.started, "")


class UpState(BaseModel):
    """A running `buddy up` and its children."""

    supervisor: ProcessRecord
    plane: Plane = Plane.ALL
    url: str | None  # of the api; None: this plane has none
    flower_url: str | None
    children: dict[str, ProcessRecord] = {}
    restarts: dict[str, int] = {}

    def save(self, path: Path) -> None:
        """Replace the file."""
        replace_file(path, self.model_dump_json(indent=2).encode())

    @classmethod
    def load(cls, path: Path) -> "UpState | None":
        """Return what the file says, None when there is none or it is not ours."""
        try:
            return cls.model_validate(json.loads(path.read_bytes()))
        except (FileNotFoundError, ValueError):
            return None


def end_processes(records: list[ProcessRecord], *, seconds: float = TERM_SECONDS) -> None:
    """End processes: SIGTERM, a bounded wait, then SIGKILL; returns when all are gone."""
    for record in records:
        record.signal(signal.SIGTERM)
    if _all_gone(records, seconds=seconds):
        return
    for record in records:
        record.signal(signal.SIGKILL)
    _all_gone(records, seconds=seconds)


def wait_gone(record: ProcessRecord, *, seconds: float) -> bool:
    """Wait until a process has ended; False when the time is up."""
    return _all_gone([record], seconds=seconds)


def _all_gone(records: list[ProcessRecord], *, seconds: float) -> bool:
    """A zombie counts as gone: its parent may take its time."""
    deadline = time.monotonic() + seconds
    while any(record.alive for record in records):
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
