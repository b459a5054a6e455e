"""What one look at the gateway tells, on real processes."""

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from buddy_common.adapters.host_system import LocalSystem
from buddy_common.errors import GatewayStartError
from buddy_common.schemas.gateway import GatewayState
from buddy_common.usecases.observe_gateway import observe_gateway
from common.usecases.host import Host
from eventually import eventually
from fakes.openclaw_program import FakeOpenClaw


async def observe(host: Host) -> GatewayState:
    snapshot = await observe_gateway(host.gateway, host.state, node="local", system=LocalSystem(Path("/")))
    return snapshot.state


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


async def test_observe_names_a_foreign_program(host: Host, fake_openclaw: FakeOpenClaw) -> None:
    with socket.create_server(("127.0.0.1", fake_openclaw.port)):
        snapshot = await observe_gateway(
            host.gateway, host.state, node="local", system=LocalSystem(Path("/"))
        )

    assert snapshot.pid is None
    assert snapshot.foreign_listener is not None
    assert str(os.getpid()) in snapshot.foreign_listener
