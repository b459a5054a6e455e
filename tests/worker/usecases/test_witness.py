"""The look at a gateway before a change: what is only on its way is waited for."""

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.errors import ConfigUndoneError, GatewayBusyError
from buddy_common.ports import Gateway, HostState
from buddy_common.schemas.gateway import Probe
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity
from buddy_common.usecases import follow_startup
from buddy_common.usecases.follow_startup import Patience
from buddy_worker.usecases import change_config as changing
from buddy_worker.usecases import witness as module
from buddy_worker.usecases.change_config import change_config
from buddy_worker.usecases.witness import Witness, look_when_settled
from fakes.progress import RecordingProgress
from fakes.said_gateway import DOWN, PROCESS, UP, SaidGateway
from worker.usecases.scene import RecordingJob

DRAINING = Probe(live=True, ready=False, draining=True)
STARTING = Probe(live=True, ready=False, failing=["startup-sidecars"])


class Spawned:
    """A host that has spawned the gateway, or has not."""

    def __init__(self, process: ProcessIdentity | None) -> None:
        self._process = process

    async def spawned(self) -> ProcessIdentity | None:
        return self._process


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(module, "CPU_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "HANGS_SECONDS", 0.2)
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.4)
    monkeypatch.setattr(follow_startup, "POLL_SECONDS", 0.01)


async def look(gateway: SaidGateway, *, spawned: ProcessIdentity | None = PROCESS) -> Witness:
    return await look_when_settled(
        cast("Gateway", gateway),
        cast("HostState", Spawned(spawned)),
        progress=RecordingProgress(),
        patience=Patience(ceiling_seconds=5, stall_seconds=0.5),
    )


@pytest.mark.parametrize("on_its_way", [DRAINING, STARTING])
async def test_a_gateway_that_restarts_or_starts_is_waited_for(on_its_way: Probe) -> None:
    gateway = SaidGateway(probes=(*[on_its_way] * 8, UP))

    assert (await look(gateway)).process == PROCESS
    assert gateway.probed > 8


async def test_a_gateway_that_is_up_is_not_waited_for() -> None:
    gateway = SaidGateway()

    assert (await look(gateway)).process == PROCESS
    assert gateway.probed == 2


class Busy(SaidGateway):
    """A gateway that is at work all the time."""

    used = 0.0

    async def cpu_seconds(self, _process: ProcessIdentity) -> float:
        self.used += 1
        return self.used


async def test_a_gateway_that_hangs_is_not_waited_for() -> None:
    assert (await look(SaidGateway(probes=(DOWN,)))).process is None


async def test_a_gateway_that_is_silent_for_a_while_is_waited_for() -> None:
    gateway = SaidGateway(probes=(*[DOWN] * 6, UP))

    assert (await look(gateway)).process == PROCESS


async def test_a_busy_gateway_that_does_not_answer_gets_no_change() -> None:
    with pytest.raises(GatewayBusyError, match="has answered nothing for 0 s"):
        await look(Busy(probes=(DOWN,)))


async def test_a_silent_gateway_that_ends_is_none() -> None:
    gateway = SaidGateway(probes=(DOWN,))
    gateway.ends_when_polled = 1

    assert (await look(gateway)).process is None


async def test_a_gateway_that_wakes_and_refuses_the_change_has_it_undone(
    host: HostPlane, job: RecordingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changing, "PATCH_TRIES", 0)  # the file is written
    gateway = SaidGateway("[reload] config reload failed: plugin x threw", probes=(*[DOWN] * 6, UP))
    job.host = replace(host, gateway=cast("Any", gateway))
    before = await asyncio.to_thread(host.config_files.path.read_bytes)

    with pytest.raises(ConfigUndoneError, match="plugin x threw"):
        await change_config(job.as_job(), lambda config: config.update(x="new"), base_hash=None)

    assert await asyncio.to_thread(host.config_files.path.read_bytes) == before


async def test_a_start_that_gets_nowhere_is_given_up() -> None:
    assert (await look(SaidGateway(probes=(STARTING,)))).process is None


async def test_a_start_that_ends_is_left_to_its_service() -> None:
    """Which tries again, then with the change that may be what mends it."""
    gateway = SaidGateway(probes=(DOWN,))
    gateway.ends_when_polled = 2
    gateway.listens = False

    assert (await look(gateway)).process is None
    assert not gateway.held_down


async def test_no_gateway_is_no_reason_to_wait() -> None:
    gateway = SaidGateway(probes=(DOWN,), ends=ProcessExit(code=1, signal=None))
    gateway.listens = False

    assert (await look(gateway, spawned=None)).process is None
