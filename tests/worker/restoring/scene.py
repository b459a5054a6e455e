"""A node whose config is restored, and what comes between."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from buddy_common.adapters.config_history import ConfigHistory
from buddy_common.adapters.live_config import LiveConfig
from buddy_common.errors import (
    ConfigRejectedError,
    StateUnwritableError,
)
from buddy_common.schemas.backups import Backup, BackupReason
from buddy_common.usecases.follow_startup import Patience
from buddy_worker.usecases.restore_backup import BackupRestored, Restore
from common.usecases.host import Host
from fakes.openclaw_program import FakeOpenClaw
from fakes.progress import RecordingProgress

ROOT = "openclaw.json"


class Stages(RecordingProgress):
    """A Progress that tells when a stage is reached, of a job that may be cut off."""

    def __init__(self) -> None:
        super().__init__()
        self.stopping = False
        self.left: str | None = None
        self.reached: dict[str, asyncio.Event] = {}

    async def stage(self, name: str, percent: int) -> None:
        await super().stage(name, percent)
        self.reached.setdefault(name, asyncio.Event()).set()

    def is_cut_off(self) -> None:
        self.cut_off_at = self.stages[-1][0]

    async def until(self, name: str) -> None:
        async with asyncio.timeout(8):
            await self.reached.setdefault(name, asyncio.Event()).wait()


class FullDisk(LiveConfig):
    """Files that cannot be written but for the first part, until there is space again."""

    full = True

    def write(self, contents: Mapping[str, bytes | None]) -> None:
        if not self.full:
            return super().write(contents)
        self.full = False
        super().write({name: content for name, content in contents.items() if name != ROOT})
        raise StateUnwritableError("The disk is full.")


class CutAtTheFirst(LiveConfig):
    """Files whose first write is that of a job that is cut off meanwhile."""

    task: asyncio.Task[Any] | None = None

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(path)
        self.loop = loop

    def write(self, contents: Mapping[str, bytes | None]) -> None:
        super().write(contents)
        if self.task is not None:
            self.loop.call_soon_threadsafe(self.task.cancel)
            self.task = None


@dataclass
class Node:
    """A node with a fake gateway and a history."""

    fake: FakeOpenClaw
    host: Host
    history: ConfigHistory
    progress: Stages = field(default_factory=Stages)
    files: LiveConfig | None = None
    refuses: str | None = None
    checked: list[Mapping[str, bytes]] = field(default_factory=list)

    @property
    def content(self) -> bytes:
        return self.fake.config_file.read_bytes()

    async def keep(self, parts: Mapping[str, bytes] | None = None, **fake: Any) -> Backup:
        """Make a backup of a config that steers the fake; the file itself stays as it is."""
        config = {"gateway": {"mode": "local", "port": self.fake.port}, "fake": fake, "kept": True}
        return await self.add(json.dumps(config).encode(), parts or {}, reason=BackupReason.MANUAL)

    async def add(self, root: bytes, parts: Mapping[str, bytes], **options: Any) -> Backup:
        return await asyncio.to_thread(self.history.add, root, parts, **options)

    async def files_of(self, name: str | None) -> dict[str, bytes]:
        assert name is not None
        return (await asyncio.to_thread(self.history.get, name))[1]

    async def check(self, contents: Mapping[str, bytes]) -> None:
        self.checked.append(contents)
        if self.refuses is not None:
            raise ConfigRejectedError(self.refuses)

    async def restore(
        self, backup: Backup, *, again: bool = False, stall_seconds: float = 8
    ) -> BackupRestored:
        restore = Restore(
            self.host.gateway,
            self.host.state,
            files=self.files or LiveConfig(self.fake.config_file),
            history=self.history,
            progress=self.progress,
            patience=Patience(8, stall_seconds, 8),
            check=self.check,
        )
        return await restore.run(backup.name, task_id="task-1", again=again)

    async def pid(self) -> int | None:
        found = await self.host.gateway.listener()
        return None if found is None else found.pid

    async def kept(self, reason: BackupReason) -> list[Backup]:
        return [backup for backup in await asyncio.to_thread(self.history.listing) if backup.reason is reason]
