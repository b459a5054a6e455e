"""Where the gateway is: looked up once, and again as soon as that may have changed."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.gateway_device import load_device
from buddy_common.adapters.gateway_host import HostGateway
from buddy_common.adapters.host_state import FileHostState
from buddy_common.errors import GatewayRefusedError, GatewayUnreachableError
from buddy_common.schemas.processes import ProcessIdentity
from buddy_common.usecases.gateway_place import GatewayPlace
from buddy_proxy import target as target_module
from buddy_proxy.config import ProxyConfig
from buddy_proxy.target import Target
from buddy_proxy.wiring import build_wiring
from fakes.ports import free_port

CONFIG = '{agents: {entries: {Alpha: {default: true}, beta: {}}}, gateway: {auth: {token: "t"}}}'


class Places:
    """Stands in for the look at the host: what it finds, and how often it was asked."""

    def __init__(self, device_file: Path) -> None:
        self.pid = os.getpid()
        self.looks = 0
        self.problem: Exception | None = None
        self._device_file = device_file

    async def __call__(self, *_: Any, **__: Any) -> GatewayPlace:
        self.looks += 1
        if self.problem is not None:
            raise self.problem
        device = await asyncio.to_thread(load_device, self._device_file)
        process = ProcessIdentity(self.pid, 0.0, "openclaw-gateway", is_gateway=True)
        return GatewayPlace(process, 18789, "t", device)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    places = Places(tmp_path / "device.key")
    monkeypatch.setattr(target_module, "find_place", places)
    return places


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    file = tmp_path / "openclaw.json"
    file.write_text(CONFIG)
    return file


@pytest.fixture
def target(config_file: Path, tmp_path: Path) -> Target:
    gateway: HostGateway = None  # type: ignore[assignment]  # `places` stands before it
    state: FileHostState = None  # type: ignore[assignment]  # the same
    return Target(gateway, state, config_file=config_file, device_file=tmp_path / "device.key")


async def test_many_requests_at_once_are_one_look(target: Target, places: Places) -> None:
    found = await asyncio.gather(*(target.find() for _ in range(20)))
    assert places.looks == 1
    assert {each.origin for each in found} == {"http://127.0.0.1:18789"}
    assert (found[0].default_bot, found[0].bots) == ("Alpha", frozenset({"alpha", "beta"}))


async def test_a_process_that_is_gone_is_looked_for_anew(target: Target, places: Places) -> None:
    places.pid = 2**22 + 1  # no pid is that high
    await target.find()
    await target.find()
    assert places.looks == 2


async def test_what_did_not_answer_is_looked_for_anew(target: Target, places: Places) -> None:
    await target.find()
    target.forget()
    await target.find()
    assert places.looks == 2


async def test_a_look_grows_old(target: Target, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_module, "FRESH_SECONDS", -1.0)
    await target.find()
    await target.find()
    assert places.looks == 2


@pytest.mark.parametrize(
    "problem", [GatewayUnreachableError("none"), GatewayRefusedError("not ours", code="FOREIGN")]
)
async def test_nothing_is_remembered_of_a_look_that_failed(
    target: Target, places: Places, problem: Exception
) -> None:
    places.problem = problem
    with pytest.raises(type(problem)):
        await target.find()
    places.problem = None
    assert (await target.find()).place.port == 18789


async def test_a_broken_config_leaves_the_bots_that_were_known(
    target: Target, places: Places, config_file: Path
) -> None:
    await target.find()
    await asyncio.to_thread(config_file.write_text, "{ broken")
    target.forget()
    assert "beta" in (await target.find()).bots
    assert places.looks == 2


async def test_without_a_gateway_the_real_look_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BUDDY_REDIS_URL", "redis://127.0.0.1:1")  # never asked
    monkeypatch.setenv("BUDDY_GATEWAY_PORT", str(free_port()))
    monkeypatch.setenv("BUDDY_GATEWAY_SERVICE", "none")
    monkeypatch.setenv("BUDDY_OPENCLAW_CONFIG_DIR", str(tmp_path))
    w = await asyncio.to_thread(lambda: build_wiring(ProxyConfig.from_environment()))
    with pytest.raises(GatewayUnreachableError):
        await w.target.find()
    await w.close()
