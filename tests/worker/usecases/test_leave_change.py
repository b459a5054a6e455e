"""A change that is cut off while the gateway takes it: it stays, unless the gateway has ended over it."""

import asyncio
import json
import os
from typing import Any

import pytest

from buddy_common.adapters.change_journal import Side
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.processes import identify
from buddy_common.schemas.plugin_jobs import SetPluginJob
from buddy_common.schemas.processes import ProcessExit
from buddy_worker.usecases import change_config as module
from buddy_worker.usecases.change_config import change_config
from buddy_worker.usecases.confirm_change import Applied
from buddy_worker.usecases.settle_change import settle_broken_change, what_is_there
from buddy_worker.usecases.witness import Witness
from worker.usecases.scene import RecordingJob


class Confirming:
    """A gateway that never says whether it takes a change."""

    def __init__(self, host: HostPlane, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = asyncio.Event()
        self.exit: ProcessExit | None = None
        self._host = host
        monkeypatch.setattr(module, "PATCH_TRIES", 0)  # the file is written
        monkeypatch.setattr(module, "look_when_settled", self._look)
        monkeypatch.setattr(module, "confirm_change", self._confirm)
        monkeypatch.setattr(host.gateway, "poll_exit", self._poll_exit)

    async def _look(self, *_: Any, **__: Any) -> Witness:
        process = await asyncio.to_thread(identify, os.getpid())
        return Witness(self._host.gateway, process, {}, 0, None)

    async def _confirm(self, *_: Any, **__: Any) -> Applied:
        self.begun.set()
        await asyncio.Event().wait()
        return Applied.HOT

    async def _poll_exit(self, _: object) -> ProcessExit | None:
        return self.exit


def edit(config: dict[str, Any]) -> None:
    config["x"] = "new"


@pytest.mark.parametrize("ended", [True, False])
async def test_a_change_that_is_cut_off_goes_with_the_gateway_that_has_ended_over_it(
    host: HostPlane, job: RecordingJob, monkeypatch: pytest.MonkeyPatch, *, ended: bool
) -> None:
    gateway = Confirming(host, monkeypatch)
    path = host.config_files.path
    before = await asyncio.to_thread(path.read_bytes)
    changing = asyncio.create_task(change_config(job.as_job(), edit, base_hash=None))
    async with asyncio.timeout(20):
        await gateway.begun.wait()
        gateway.exit = ProcessExit(code=1) if ended else None
        changing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await changing

    after = await asyncio.to_thread(path.read_bytes)
    left = await asyncio.to_thread(what_is_there, host, job.task_id, SetPluginJob)
    if ended:
        assert (after, left) == (before, Side.OLD.shown)
    else:
        assert json.loads(after) == json.loads(before) | {"x": "new"}
        assert left == Side.NEW.shown
    await asyncio.to_thread(settle_broken_change, host)
    assert await asyncio.to_thread(path.read_bytes) == after
