"""A watchdog over a gateway of the fake program, and what it wrote down."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from buddy_common.adapters.host_plane import HostPlane, build_host_plane
from buddy_common.adapters.quarantine import Quarantine
from buddy_common.adapters.redis_client import open_redis
from buddy_common.schemas.gateway import GatewaySnapshot, GatewayState
from buddy_common.schemas.resources import Resource
from buddy_common.settings import GatewaySettings, HomeSettings, OpenClawSettings, WatchdogSettings
from buddy_common.usecases.follow_startup import Patience
from buddy_common.usecases.start_gateway import start_gateway
from buddy_watchdog.healing import Rules
from buddy_watchdog.incidents import wall_clock
from buddy_watchdog.runner import Runner
from buddy_watchdog.state_file import StateFile
from eventually import eventually
from fakes.openclaw_program import FakeOpenClaw
from fakes.progress import RecordingProgress
from watchdog.diary import TestDiary

INTERVAL_SECONDS = 60.0  # so long that only an event can explain a quick second look


def host_plane(url: str, fake: FakeOpenClaw) -> HostPlane:
    """Return the host plane of the fake program."""
    return build_host_plane(
        open_redis(url),
        home=HomeSettings(),
        gateway=GatewaySettings(config_dir=fake.config_dir),
        openclaw=OpenClawSettings(program=fake.program),
        watchdog=WatchdogSettings(),
    )


@dataclass
class Ward:
    """The gateway that is watched; `host` is for the test, each watchdog has one of its own."""

    url: str
    fake: FakeOpenClaw
    diary: TestDiary = field(default_factory=TestDiary)
    host: HostPlane = field(init=False)

    def __post_init__(self) -> None:
        self.host = host_plane(self.url, self.fake)

    @property
    def folder(self) -> Path:
        return self.host.device_file.parent

    @property
    def store(self) -> Quarantine:
        return Quarantine(self.folder / "quarantine.json")

    @property
    def config(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.fake.config_file.read_text())
        return found

    def runner(
        self,
        *,
        interval_seconds: float = INTERVAL_SECONDS,
        host: HostPlane | None = None,
        clock: Callable[[], datetime] = wall_clock,
    ) -> Runner:
        return Runner(
            host or self.host,
            interval_seconds=interval_seconds,
            diary=self.diary,
            store=self.store,
            file=StateFile(self.folder / "watchdog.json"),
            rules=Rules(steady_seconds=0.3),
            clock=clock,
        )

    @asynccontextmanager
    async def watched(
        self, *, interval_seconds: float = INTERVAL_SECONDS, clock: Callable[[], datetime] = wall_clock
    ) -> AsyncIterator[Runner]:
        """Run the watchdog's loop, and end it."""
        host = await asyncio.to_thread(host_plane, self.url, self.fake)
        runner = self.runner(interval_seconds=interval_seconds, host=host, clock=clock)
        task = asyncio.create_task(runner.run_forever())
        try:
            yield runner
        finally:
            task.cancel()
            await asyncio.wait([task])
            await runner.close()

    async def start(self) -> int:
        """Start the gateway, as a job would."""
        started = await start_gateway(
            self.host.gateway, self.host.state, progress=RecordingProgress(), patience=Patience(8, 8)
        )
        return started.pid

    async def snapshot(self) -> GatewaySnapshot | None:
        """Return what was published last."""
        entry = await self.host.read_model.get("local", Resource.GATEWAY)
        return None if entry is None else GatewaySnapshot.model_validate_json(entry.data)


async def is_up(ward: Ward, *, instead_of: int | None = None) -> int:
    """Wait until a gateway is published as running, another one than that."""
    seen = await eventually(
        ward.snapshot,
        lambda seen: seen is not None and seen.state is GatewayState.RUNNING and seen.pid != instead_of,
        seconds=30,
    )
    assert seen is not None
    assert seen.pid is not None
    return seen.pid
