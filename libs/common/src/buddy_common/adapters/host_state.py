"""What a host plane remembers in its state folder; needs neither broker nor database."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from buddy_common.adapters.atomic_file import replace_file
from buddy_common.adapters.processes import boot_id, from_record
from buddy_common.errors import StateUnwritableError
from buddy_common.schemas.gateway import Desired
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity


class FileHostState:
    """Small JSON files in one folder, each replaced whole."""

    def __init__(self, folder: Path) -> None:
        self._desired = folder / "desired.json"
        self._spawned = folder / "gateway.json"
        self._ending = folder / "ending.json"

    async def desired(self) -> Desired | None:
        """Return what the operator last asked for."""
        record = await asyncio.to_thread(_read, self._desired)
        return None if record is None else Desired(record["desired"])

    async def set_desired(self, desired: Desired) -> None:
        """Remember what the operator asked for."""
        record = {"desired": desired}
        await asyncio.to_thread(_write, self._desired, record)

    @property
    def gateway_file(self) -> Path:
        """Where the keeper of the gateway records its process, and how that ended."""
        return self._spawned

    async def spawned(self) -> ProcessIdentity | None:
        """Return the gateway process that was started last, dead or alive; None after a reboot."""
        return await asyncio.to_thread(self._read_spawned)

    def _read_spawned(self) -> ProcessIdentity | None:
        record = _read(self._spawned)
        process = from_record(record) if record is not None else None
        return None if process is None else replace(process, name="openclaw", is_gateway=True)

    def exit_of(self, process: ProcessIdentity) -> ProcessExit | None:
        """Return how this very process has ended, None while nothing is recorded of that."""
        record = _read(self._spawned)
        if record is None or from_record(record) != process:
            return None
        return read_exit(record)

    def is_spawned(self, process: ProcessIdentity) -> bool:
        """Whether it is the gateway process that was started last."""
        return self._read_spawned() == process

    async def last_exit(self) -> ProcessExit | None:
        """Return how the process that was started last has ended, None while it runs."""
        record = await asyncio.to_thread(_read, self._spawned)
        return None if record is None else read_exit(record)

    def ended_at(self) -> float | None:
        """Return when the process that was started last has ended, None while it runs: UNIX time."""
        record = _read(self._spawned)
        ended = None if record is None else record.get("ended_at")
        return float(ended) if isinstance(ended, int | float) else None

    def note_ending(self, process: ProcessIdentity | None) -> None:
        """Remember which process we are about to end; None: it was not to be ended.

        Raises:
            StateUnwritableError: the state folder cannot be written.
        """
        record = (
            {} if process is None else {"pid": process.pid, "started": process.started, "boot": boot_id()}
        )
        _write(self._ending, record)

    def noted_ending(self) -> ProcessIdentity | None:
        """Return the process that we were about to end last, dead or alive; None after a reboot."""
        record = _read(self._ending)
        return None if record is None else from_record(record)


def read_exit(record: dict[str, Any]) -> ProcessExit | None:
    """Return what a keeper recorded of a process's end, None while it runs."""
    if "ended_at" not in record:
        return None
    return ProcessExit(code=record.get("code"), signal=record.get("signal"))


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_bytes())  # type: ignore[no-any-return]  # our own file, written whole
    except FileNotFoundError:
        return None


def _write(path: Path, record: dict[str, Any]) -> None:
    try:
        replace_file(path, json.dumps(record).encode())
    except OSError as exc:
        raise StateUnwritableError(f"{path} cannot be written: {exc.strerror}.") from exc


def remember_port(path: Path, port: int) -> None:
    """Keep the port that the config named when it could last be read.

    Raises:
        StateUnwritableError: the state folder cannot be written.
    """
    if recall_port(path) != port:
        _write(path, {"port": port})


def recall_port(path: Path) -> int | None:
    """Return the port that was kept, None when there is none."""
    try:
        record = _read(path)
        return None if record is None else int(record["port"])
    except (ValueError, KeyError, TypeError):  # damaged: as good as none
        return None
