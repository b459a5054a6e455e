"""A host plane without broker and database, and a job on it that remembers what it was told."""

import asyncio
import json
import os
from typing import Any, cast

import pytest

from buddy_common.adapters.gateway_device import GatewayDevice, load_device
from buddy_common.adapters.host_plane import HostPlane, build_host_plane
from buddy_common.adapters.processes import identify
from buddy_common.adapters.redis_client import open_redis
from buddy_common.schemas.processes import ProcessIdentity
from buddy_common.settings import GatewaySettings, HomeSettings, OpenClawSettings, WatchdogSettings
from buddy_worker import gateway_calls
from buddy_worker.jobs import RunningJob
from buddy_worker.usecases import change_config
from buddy_worker.usecases.confirm_change import Applied
from buddy_worker.usecases.witness import Witness
from fakes.gateway import TOKEN, FakeGateway
from fakes.progress import RecordingProgress


def build_host() -> HostPlane:
    """Build it from the environment; its broker is asked for nothing."""
    return build_host_plane(
        open_redis("redis://127.0.0.1:1/0"),
        home=HomeSettings(),
        gateway=GatewaySettings(),
        openclaw=OpenClawSettings(),
        watchdog=WatchdogSettings(),
    )


async def serve_as_gateway(host: HostPlane, fake: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a fake that listens be the gateway of this host: it is no process of its own."""
    device = await asyncio.to_thread(load_device, host.device_file)
    process = await asyncio.to_thread(identify, os.getpid())

    async def place(*_: Any) -> tuple[int, str, GatewayDevice]:
        return fake.port, TOKEN, device

    async def look(*_: Any, **__: Any) -> Witness:
        return Witness(host.gateway, process, {}, 0, None)

    async def confirm(*_: Any, **__: Any) -> Applied:
        return Applied.HOT

    monkeypatch.setattr(gateway_calls, "gateway_place", place)
    monkeypatch.setattr(change_config, "look_when_settled", look)
    monkeypatch.setattr(change_config, "confirm_change", confirm)


def patched(config: dict[str, Any], params: dict[str, Any]) -> None:
    """Do to a config as `config.patch` does."""

    def merge(into: dict[str, Any], patch: dict[str, Any]) -> None:
        for key, value in patch.items():
            if isinstance(value, dict):
                merge(into.setdefault(key, {}), value)
            elif value is None:
                into.pop(key, None)
            else:
                into[key] = value

    merge(config, json.loads(params["raw"]))


class RecordingJob(RecordingProgress):
    """What use cases see of a running job."""

    lock_descriptors = ()

    def __init__(self, host: HostPlane, task_id: str) -> None:
        super().__init__()
        self.host = host
        self.task_id = task_id
        self.stopping = False
        self.left: str | None = None
        self.made: list[str] = []
        self.processes: list[ProcessIdentity] = []

    def is_cut_off(self) -> None:
        """What it did then is nowhere shown here."""

    async def runs(self, process: ProcessIdentity) -> None:
        self.processes.append(process)

    def as_job(self) -> RunningJob[Any]:
        """The same for use cases, which ask for the class."""
        return cast("RunningJob[Any]", self)
