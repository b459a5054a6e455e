"""The look at a gateway before a change: what is only on its way is waited for."""

from typing import cast

import pytest

from buddy_common.ports import Gateway, HostState
from buddy_common.schemas.gateway import Probe
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity
from buddy_common.usecases import follow_startup
from buddy_common.usecases.follow_startup import Patience
from buddy_worker.usecases import witness as module
from buddy_worker.usecases.witness import Witness, look_when_settled
from fakes.progress import RecordingProgress
from fakes.said_gateway import DOWN, PROCESS, UP, SaidGateway

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


async def test_a_gateway_that_hangs_is_not_waited_for() -> None:
    gateway = SaidGateway(probes=(DOWN,))

    assert (await look(gateway)).process is None
    assert gateway.probed == 2 * module.PROBES


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
