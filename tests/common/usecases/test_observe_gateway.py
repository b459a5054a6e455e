"""What one look at the gateway tells, on real processes."""

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from buddy_common.adapters.host_system import LocalSystem
from buddy_common.errors import GatewayStartError
from buddy_common.schemas.gateway import Desired, GatewayOwner, GatewaySnapshot, GatewayState
from buddy_common.usecases.observe_gateway import observe_gateway
from common.usecases.host import Host
from eventually import eventually
from fakes.openclaw_program import FakeOpenClaw


async def look(host: Host, *, busy: bool = False) -> GatewaySnapshot:
    return await observe_gateway(
        host.gateway, host.state, node="local", system=LocalSystem(Path("/")), busy=busy
    )


async def observe(host: Host, *, busy: bool = False) -> GatewayState:
    return (await look(host, busy=busy)).state


async def test_observe_tells_the_states_apart(host: Host, fake_openclaw: FakeOpenClaw) -> None:
    assert await observe(host) is GatewayState.STOPPED
    fake_openclaw.configure(ready_after=1.5)
    starting = asyncio.create_task(host.start())
    await eventually(lambda: observe(host), lambda state: state is GatewayState.STARTING)
    started = await starting
    assert await observe(host) is GatewayState.RUNNING
    os.kill(started.pid, signal.SIGKILL)
    await eventually(lambda: observe(host), lambda state: state is GatewayState.CRASHED)
    await host.stop()
    assert await observe(host) is GatewayState.STOPPED


async def test_observe_calls_a_config_that_blocks_the_start_by_its_name(
    host: Host, fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.configure(exit=78, say="Invalid config")
    with pytest.raises(GatewayStartError):
        await host.start()
    assert await observe(host) is GatewayState.CONFIG_ERROR

    fake_openclaw.configure()
    await host.start()
    assert await observe(host) is GatewayState.RUNNING


async def test_observe_sees_a_gateway_that_starts_while_it_looks(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = await host.start()
    os.kill(started.pid, signal.SIGKILL)
    await eventually(lambda: observe(host), lambda state: state is GatewayState.CRASHED)

    async def start_meanwhile() -> None:  # what is known of the last end makes way for the new one
        await host.start()

    monkeypatch.setattr(host.gateway, "last_exit", start_meanwhile)
    assert await observe(host) is GatewayState.RUNNING


async def test_observe_names_a_foreign_program(host: Host, fake_openclaw: FakeOpenClaw) -> None:
    with socket.create_server(("127.0.0.1", fake_openclaw.port)):
        snapshot = await look(host)

    assert snapshot.pid is None
    assert snapshot.foreign_listener is not None
    assert str(os.getpid()) in snapshot.foreign_listener


async def test_observe_says_who_owns_the_process(host: Host) -> None:
    assert (await look(host)).owner is None
    await host.start()

    assert (await look(host)).owner is GatewayOwner.OURS


async def test_a_gateway_that_is_gone_while_we_restart_it_has_not_crashed(host: Host) -> None:
    await host.state.set_desired(Desired.RUNNING)

    assert await observe(host) is GatewayState.CRASHED
    assert await observe(host, busy=True) is GatewayState.STARTING
