"""What a host plane remembers in its state folder; needs neither broker nor database."""

import asyncio
import json
from pathlib import Path
from typing import Any

from buddy_common.adapters.atomic_file import replace_file
from buddy_common.errors import StateUnwritableError
from buddy_common.schemas.gateway import Desired
from buddy_common.schemas.processes import ProcessIdentity


class FileHostState:
    """Small JSON files in one folder, each replaced whole."""

    def __init__(self, folder: Path) -> None:
        self._desired = folder / "desired.json"
        self._spawned = folder / "gateway.json"

    async def desired(self) -> Desired | None:
        """Return what the operator last asked for."""
        record = await asyncio.to_thread(_read, self._desired)
        return None if record is None else Desired(record["desired"])

    async def set_desired(self, desired: Desired) -> None:
        """Remember what the operator asked for."""
        record = {"desired": desired}
        await asyncio.to_thread(_write, self._desired, record)

    async def spawned(self) -> ProcessIdentity | None:
        """Return the gateway process that was started last, dead or alive."""
        record = await asyncio.to_thread(_read, self._spawned)
        if record is None:
            return None
        return ProcessIdentity(pid=record["pid"], started=record["started"], name="openclaw", is_gateway=True)

    async def set_spawned(self, process: ProcessIdentity) -> None:
        """Remember the gateway process that was just started."""
        record = {"pid": process.pid, "started": process.started}
        await asyncio.to_thread(_write, self._spawned, record)

    async def exit_code(self) -> int | None:
        """Return with which code the last start failed."""
        record = await asyncio.to_thread(_read, self._spawned)
        return None if record is None else record.get("exit_code")

    async def set_exit_code(self, code: int | None) -> None:
        """Remember how a start failed; the next start forgets it."""
        record = await asyncio.to_thread(_read, self._spawned)
        if record is not None:
            await asyncio.to_thread(_write, self._spawned, record | {"exit_code": code})


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
    record = _read(path)
    return None if record is None else int(record["port"])
